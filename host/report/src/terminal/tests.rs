//! What a person sees.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::rc::Rc;

use super::*;
use crate::examples;

const PLAIN: TerminalOptions = TerminalOptions {
    color: false,
    progress: false,
    verbosity: Verbosity::Normal,
    width: 100,
    rerun: String::new(),
    diff: false,
};

/// Everything written for `events`, with `gap` between them, and the exit code of the run's conclusion.
fn told(events: &[Event], options: TerminalOptions, gap: Duration) -> String {
    let mut out = Vec::new();
    let time = Rc::new(Cell::new(Duration::ZERO));
    let clock = Rc::clone(&time);
    let mut terminal = Terminal::with_clock(&mut out, options, Box::new(move || clock.get()));
    for event in events {
        time.set(time.get() + gap);
        terminal.event(event);
    }
    if let Some(Event::RunFinished { conclusion, .. }) = events.last() {
        terminal.exit_line(conclusion.exit_code());
    }
    drop(terminal);
    String::from_utf8(out).unwrap()
}

/// With a tenth of a second between events.
fn steadily(events: &[Event], options: TerminalOptions) -> String {
    told(events, options, Duration::from_millis(100))
}

fn quickly(events: &[Event], options: TerminalOptions) -> String {
    told(events, options, Duration::ZERO)
}

fn with(verbosity: Verbosity) -> TerminalOptions {
    TerminalOptions { verbosity, ..PLAIN }
}

#[test]
fn a_run_that_passes() {
    insta::assert_snapshot!(steadily(&examples::passing(), PLAIN));
}

#[test]
fn a_run_that_fails() {
    insta::assert_snapshot!(steadily(&examples::failing(), PLAIN));
}

#[test]
fn a_run_with_errors() {
    insta::assert_snapshot!(steadily(&examples::erring(), PLAIN));
}

#[test]
fn a_run_with_set_metrics() {
    insta::assert_snapshot!(steadily(&examples::sets(), PLAIN));
}

#[test]
fn a_run_that_is_interrupted() {
    insta::assert_snapshot!(steadily(&examples::interrupted(), PLAIN));
}

#[test]
fn a_model_that_does_not_load() {
    insta::assert_snapshot!(steadily(&examples::not_loading(), PLAIN));
}

#[test]
fn quiet_tells_what_is_wrong() {
    insta::assert_snapshot!(steadily(&examples::erring(), with(Verbosity::Quiet)));
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
        events.extend([examples::score(case, 0, 0.3), examples::score(case, 1, 0.5), Event::CaseFinished { case }]);
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
        events.extend([examples::image(case, &[]), Event::CaseFinished { case }]);
    }
    let text = told(&events, PLAIN, Duration::from_secs(5));
    insta::assert_snapshot!(text);
    assert!(!quickly(&events, PLAIN).contains("Generated"));
    assert!(!told(&events, with(Verbosity::Quiet), Duration::from_secs(5)).contains("Generated"));
}

#[test]
fn many_cases_of_one_test_are_not_silent() {
    let mut events = examples::start(60);
    for case in 0..60 {
        events.extend([Event::CaseStarted { case }, examples::image(case, &[])]);
        events.extend([examples::score(case, 0, 0.3), examples::score(case, 1, 0.5), Event::CaseFinished { case }]);
    }
    let text = told(&events, PLAIN, Duration::from_millis(200));
    // Five events of each of 60 cases take a minute.
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("   Generated ")).collect();
    assert_eq!(lines.len(), 6, "{text}");
    assert_eq!(lines[0], "   Generated 10/120 · about 1m 48s left");
}

#[test]
fn a_test_takes_as_long_as_a_person_waits_for_it() {
    let mut events = examples::start(2);
    // Both cases at once: each says that it took 1.2 s, and the clock says how long both took together.
    events.extend([0, 1].map(|case| Event::CaseStarted { case }));
    events.extend([0, 1].map(|case| examples::image(case, &[])));
    events.extend([0, 1].map(|case| Event::CaseFinished { case }));
    events.push(Event::TestFinished { test: 0, verdict: Verdict::Pass, gates: Vec::new(), errors: Vec::new() });
    events.push(Event::TestFinished { test: 1, verdict: Verdict::NotRun, gates: Vec::new(), errors: Vec::new() });
    let text = steadily(&events, PLAIN);
    assert!(text.contains("PASS [   0.600s] smoke::base"), "{text}");
    assert!(text.contains("NOT RUN [   0.000s] smoke::colours"), "{text}");
}

#[test]
fn a_pass_without_thresholds_says_that_nothing_was_demanded() {
    let mut events = examples::start(1);
    events.extend([Event::CaseStarted { case: 0 }, examples::image(0, &[]), examples::score(0, 0, 0.3)]);
    events.push(examples::score(0, 1, 0.5));
    events.push(Event::CaseFinished { case: 0 });
    events.push(Event::TestFinished { test: 0, verdict: Verdict::Pass, gates: Vec::new(), errors: Vec::new() });
    let text = quickly(&events, PLAIN);
    assert!(text.contains("smoke::base (1 image) no threshold: reported, not judged\n"), "{text}");
    assert!(!quickly(&examples::passing(), PLAIN).contains("not judged"));
}

#[test]
fn a_case_whose_metrics_are_missing_is_an_error() {
    let mut events = examples::start(2);
    for case in 0..2 {
        events.extend([Event::CaseStarted { case }, examples::image(case, &[])]);
        events.extend((case == 1).then(|| examples::score(case, 0, 0.3)));
        events.push(Event::CaseFinished { case });
    }
    let text = quickly(&events, PLAIN);
    assert!(text.contains("ERROR [   1.200s] smoke::base[p0,seed=42]  no scores\n"), "{text}");
    assert!(text.contains("ERROR [   1.204s] smoke::base[p1,seed=42]  clip_score=0.300 · 1 score missing\n"), "{text}");
    assert!(!text.contains("SCORED"), "{text}");
}

#[test]
fn the_command_to_run_again_is_the_one_that_was_given() {
    let rerun = "difftest run '/tmp/a b/smoke.toml' --model ./m".to_owned();
    let text = quickly(&examples::failing(), TerminalOptions { rerun, ..PLAIN });
    let command = "next difftest run '/tmp/a b/smoke.toml' --model ./m -k \"smoke::colours[\" --verbose\n";
    assert!(text.contains(command), "{text}");
}

#[test]
fn the_exit_code_is_the_callers_to_tell() {
    let mut out = Vec::new();
    let mut terminal = Terminal::new(&mut out, PLAIN);
    examples::passing().iter().for_each(|event| terminal.event(event));
    // The results could not be written.
    terminal.exit_line(2);
    drop(terminal);
    let text = String::from_utf8(out).unwrap();
    assert!(text.ends_with("             exit code 2: an error, told above\n"), "{text}");
    assert!(!text.contains("everything passed"), "{text}");
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
