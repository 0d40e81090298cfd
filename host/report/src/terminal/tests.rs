//! What a person sees.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::rc::Rc;

use super::*;
use crate::examples;

const PLAIN: TerminalOptions =
    TerminalOptions { color: false, progress: false, verbosity: Verbosity::Normal, width: 100 };

/// Everything written for `events`, with `gap` between them.
fn told(events: &[Event], options: TerminalOptions, gap: Duration) -> String {
    let mut out = Vec::new();
    let time = Rc::new(Cell::new(Duration::ZERO));
    let clock = Rc::clone(&time);
    let mut terminal = Terminal::with_clock(&mut out, options, Box::new(move || clock.get()));
    for event in events {
        time.set(time.get() + gap);
        terminal.event(event);
    }
    drop(terminal);
    String::from_utf8(out).unwrap()
}

fn quickly(events: &[Event], options: TerminalOptions) -> String {
    told(events, options, Duration::ZERO)
}

fn with(verbosity: Verbosity) -> TerminalOptions {
    TerminalOptions { verbosity, ..PLAIN }
}

#[test]
fn a_run_that_passes() {
    insta::assert_snapshot!(quickly(&examples::passing(), PLAIN));
}

#[test]
fn a_run_that_fails() {
    insta::assert_snapshot!(quickly(&examples::failing(), PLAIN));
}

#[test]
fn a_run_with_errors() {
    insta::assert_snapshot!(quickly(&examples::erring(), PLAIN));
}

#[test]
fn a_run_that_is_interrupted() {
    insta::assert_snapshot!(quickly(&examples::interrupted(), PLAIN));
}

#[test]
fn a_model_that_does_not_load() {
    insta::assert_snapshot!(quickly(&examples::not_loading(), PLAIN));
}

#[test]
fn quiet_tells_what_is_wrong() {
    insta::assert_snapshot!(quickly(&examples::erring(), with(Verbosity::Quiet)));
    assert_eq!(quickly(&examples::passing(), with(Verbosity::Quiet)).lines().count(), 2);
}

#[test]
fn colour_only_adds_colour() {
    let strip = |text: &str| {
        let mut parts = text.split("\u{1b}[");
        let first = parts.next().unwrap().to_owned();
        parts.fold(first, |text, part| text + part.split_once('m').unwrap().1)
    };
    for events in [examples::passing(), examples::failing(), examples::erring(), examples::interrupted()] {
        let coloured = quickly(&events, TerminalOptions { color: true, ..PLAIN });
        assert!(coloured.contains("\u{1b}[1m"));
        assert_eq!(strip(&coloured), quickly(&events, PLAIN));
    }
}

#[test]
fn no_one_elses_escape_reaches_the_terminal() {
    for events in [examples::failing(), examples::erring()] {
        let text = quickly(&events, with(Verbosity::Verbose));
        assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text}");
    }
}

#[test]
fn many_cases_get_a_line_only_when_asked_or_wrong() {
    let mut events = examples::start(30);
    for case in 0..60 {
        events.extend([Event::CaseStarted { case }, examples::image(case, &[])]);
        events.extend([examples::score(case, 0, 0.3), Event::CaseFinished { case }]);
    }
    let lines = |verbosity| quickly(&events, with(verbosity)).lines().filter(|line| line.contains("SCORED")).count();
    assert_eq!((lines(Verbosity::Quiet), lines(Verbosity::Normal), lines(Verbosity::Verbose)), (0, 0, 60));
}

#[test]
fn a_long_run_without_a_bar_gives_signs_of_life() {
    let mut events = examples::start(30);
    for case in 0..4 {
        events.push(Event::CaseStarted { case });
        events.extend((1..=10).map(|step| Event::Step { case, step, of: 10 }));
        events.push(Event::CaseFinished { case });
    }
    let text = told(&events, PLAIN, Duration::from_secs(5));
    insta::assert_snapshot!(text);
    assert!(!quickly(&events, PLAIN).contains("running"));
    assert!(!told(&events, with(Verbosity::Quiet), Duration::from_secs(5)).contains("running"));
}

#[test]
fn progress_says_image_step_and_time_left() {
    let mut progress = Progress::new(false);
    let mut at = |seconds: u64, event: &Event| {
        progress.event(event, Duration::from_secs(seconds));
        progress.words(Duration::from_secs(seconds))
    };
    assert_eq!(at(0, &examples::start(2)[0]), "loading");
    assert_eq!(at(10, &Event::CaseStarted { case: 0 }), "image 1 of 4");
    assert_eq!(at(20, &Event::Step { case: 0, step: 5, of: 10 }), "image 1 of 4 · step 5 of 10 · 1m 10s left");
    assert_eq!(at(30, &Event::CaseFinished { case: 0 }), "image 1 of 4 · 1m 00s left");
    at(30, &Event::CaseStarted { case: 1 });
    assert_eq!(at(30, &Event::CaseStarted { case: 2 }), "image 3 of 4 · 1m 00s left");
}

#[test]
fn a_bar_does_not_garble_the_lines() {
    let options = TerminalOptions { progress: true, ..PLAIN };
    assert_eq!(quickly(&examples::failing(), options), quickly(&examples::failing(), PLAIN));
}
