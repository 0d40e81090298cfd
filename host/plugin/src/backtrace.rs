//! Where in a plugin a call ended: its author's own functions, innermost first, with lines where the component has line tables.
//!
//! Names come from the `name` section, lines from DWARF (`debug = "line-tables-only"` in the profile that the plugin is built
//! with). Both are the plugin's own text, so they are escaped and cut like everything it says.

use std::fmt;

use wasmtime::WasmBacktrace;

use crate::text;

/// Lines of a backtrace that are shown.
const SHOWN: usize = 8;

/// Beginnings of names that say nothing about where a failure came from.
const MACHINERY: [&str; 11] = [
    "difftest_sdk::",
    "difftest:",
    "wit_bindgen::",
    "std::",
    "core::",
    "alloc::",
    "__rust",
    "rust_",
    "abort",
    "_start",
    "cabi_",
];

/// Parts of the paths of sources that are nobody's own: the standard library, what it is built from, and the SDK, from a registry
/// and from its repository.
const LIBRARIES: [&str; 4] = ["/rustc/", "/rust/deps/", "difftest-sdk-", "sdk/rust/src/"];

const RUST: &str =
    "built with `debug = \"line-tables-only\"` and without `strip`, a plugin shows here in which line it was";

const PYTHON: &str =
    "Python traps at an exception that nothing catches: catch it and return an error, as the SDK for Python does";

/// One function on the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Frame {
    name: String,
    /// `file:line:column`.
    place: Option<String>,
}

/// What a backtrace tells.
pub(crate) struct Backtrace {
    /// For a message, below what happened.
    pub(crate) lines: Vec<String>,
    /// How its author would see more.
    pub(crate) advice: Option<&'static str>,
}

/// The backtrace that `error` carries; empty where the component has no names.
pub(crate) fn of(error: &wasmtime::Error) -> Backtrace {
    let trace = error.downcast_ref::<WasmBacktrace>();
    shown(trace.into_iter().flat_map(|trace| trace.frames()).flat_map(frames))
}

/// The function of a frame, and before it those that the compiler made a part of it.
fn frames(info: &wasmtime::FrameInfo) -> Vec<Frame> {
    if info.symbols().is_empty() {
        return info.func_name().map(|name| Frame { name: readable(name), place: None }).into_iter().collect();
    }
    // line tables give a function its bare name; the one that stands in the component has its path as well
    let outermost = info.symbols().len() - 1;
    let frame = |(i, symbol): (usize, &wasmtime::FrameSymbol)| {
        let named = if i == outermost { info.func_name().or(symbol.name()) } else { symbol.name() };
        let file = symbol.file().map(|file| file.replace('\\', "/"));
        if file.as_ref().is_some_and(|file| LIBRARIES.iter().any(|part| file.contains(part))) {
            return None;
        }
        Some(Frame { name: readable(named?), place: file.map(|file| place(&file, symbol.line(), symbol.column())) })
    };
    info.symbols().iter().enumerate().filter_map(frame).collect()
}

fn readable(name: &str) -> String {
    text::line(&format!("{:#}", rustc_demangle::demangle(name)), 120)
}

/// `crate/src/file.rs:line:column`.
fn place(file: &str, line: Option<u32>, column: Option<u32>) -> String {
    // from the folder of the crate on: what is above it is the machine that the plugin was built on
    let krate = file.rfind("/src/").map_or(0, |src| file[..src].rfind('/').map_or(0, |slash| slash + 1));
    let mut place = text::line(&file[krate..], 120);
    for number in [line, column].into_iter().map_while(|number| number.filter(|&number| number > 0)) {
        place += &format!(":{number}");
    }
    place
}

impl Frame {
    /// Whether it belongs to the author, or to something the author chose to use.
    fn tells(&self) -> bool {
        let name = self.name.trim_start_matches(['<', '&', '(']);
        !MACHINERY.iter().any(|start| name.starts_with(start))
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in {}", self.name)?;
        match &self.place {
            Some(place) => write!(f, " at {place}"),
            None => Ok(()),
        }
    }
}

/// Lines for `frames`, innermost first.
fn shown(frames: impl Iterator<Item = Frame>) -> Backtrace {
    let mut calls: Vec<(Frame, u32)> = Vec::new();
    for frame in frames.filter(Frame::tells) {
        match calls.last_mut() {
            // where a function only begins, its line is not told
            Some((last, times)) if last.name == frame.name && (last.place == frame.place || last.place.is_none()) => {
                last.place = frame.place;
                *times += 1;
            }
            _ => calls.push((frame, 1)),
        }
    }
    let line = |(frame, times): &(Frame, u32)| {
        if *times > 1 { format!("{frame} (again and again)") } else { frame.to_string() }
    };
    let mut lines: Vec<_> = calls.iter().take(SHOWN).map(line).collect();
    if calls.len() > SHOWN {
        lines.push(format!("and {} more", calls.len() - SHOWN));
    }
    let any = |what: fn(&Frame) -> bool| calls.iter().any(|(frame, _)| what(frame));
    let advice = match () {
        () if any(|frame| frame.place.is_some()) => None,
        () if any(|frame| frame.name.starts_with("_PyEval")) => Some(PYTHON),
        () if any(|frame| frame.name.contains("::")) => Some(RUST),
        () => None,
    };
    Backtrace { lines, advice }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(names: &[&str]) -> Vec<String> {
        shown(names.iter().map(|&name| Frame { name: name.to_owned(), place: None })).lines
    }

    #[test]
    fn frames_are_the_authors_own() {
        let trace = [
            "__rustc::rust_begin_unwind",
            "core::panicking::panic_fmt",
            "mine::inner",
            "mine::inner",
            "mine::outer",
            "<mine::Metrics as difftest_sdk::metric::MetricPlugin>::measure",
            "<difftest_sdk::bindings::Exported<mine::Metrics> as x>::measure",
            "difftest:plugin/metric@0.1.0#measure",
        ];
        assert_eq!(
            lines(&trace),
            [
                "in mine::inner (again and again)",
                "in mine::outer",
                "in <mine::Metrics as difftest_sdk::metric::MetricPlugin>::measure",
            ]
        );
        assert!(lines(&["std::process::abort"]).is_empty());
        let deep: Vec<String> = (0..20).map(|i| format!("mine::f{i}")).collect();
        let lines = lines(&deep.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (9, Some("and 12 more")));
    }

    #[test]
    fn advice_is_for_the_language_it_was_written_in() {
        let advice = |name: &str, place: Option<&str>| {
            shown(std::iter::once(Frame { name: name.to_owned(), place: place.map(str::to_owned) })).advice
        };
        assert_eq!(advice("mine::inner", None), Some(RUST));
        assert_eq!(advice("mine::inner", Some("mine/src/lib.rs:1:1")), None);
        assert_eq!(advice("_PyEval_EvalFrameDefault", None), Some(PYTHON));
        assert_eq!(advice("main", None), None);
    }

    #[test]
    fn places_begin_with_the_crate() {
        let at = |file: &str| place(file, Some(12), Some(5));
        assert_eq!(at("/home/ann/work/borders/src/edge.rs"), "borders/src/edge.rs:12:5");
        assert_eq!(at("src/lib.rs"), "src/lib.rs:12:5");
        assert_eq!(at("main.c"), "main.c:12:5");
        assert_eq!(at("\u{1b}[2J.c"), "\\u{1b}[2J.c:12:5");
        assert_eq!(place("src/lib.rs", Some(0), Some(0)), "src/lib.rs");
    }
}
