//! Why a call ended without an answer, in words: one table from causes to kinds, texts and hints.

use difftest_core::metric::MetricError;
use wasmtime::Trap;

use crate::backtrace;
use crate::imports::set::Unreadable;
use crate::limits::Limits;
use crate::state::State;
use crate::text;

/// The kind of the error of a call that was broken off because its run was stopped.
const CANCELLED: &str = "cancelled";

/// A limit of ours that was met inside a host call; traps the plugin.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Breach {
    #[error("it wanted {} of memory, {} is the most", bytes(*wanted), bytes(*limit))]
    Memory { wanted: usize, limit: usize },
    #[error("it wanted tables of {} entries, {} is the most", grouped(*wanted as u64), grouped(*limit as u64))]
    Tables { wanted: usize, limit: usize },
    #[error("it made the host work more than {} credits worth", grouped(*limit))]
    Credits { limit: u64 },
    #[error("it kept more than {limit} host objects")]
    HostObjects { limit: usize },
    #[error("it made the host hold {} of pixels and tensors, {} is the most", bytes(*wanted), bytes(*limit))]
    HostBytes { wanted: usize, limit: usize },
    #[error("it asked for an image of {width}x{height}; a side is 1 to {limit} pixels")]
    ResizeSide { width: u32, height: u32, limit: u32 },
    #[error("it asked for an image that takes {} pixels to make, {} is the most", grouped(*pixels), grouped(*limit))]
    ResizePixels { pixels: u64, limit: u64 },
    #[error("it called `{name}`: {reason}")]
    Import { name: String, reason: String },
    /// Not the plugin's doing.
    #[error("the run was stopped")]
    Cancelled,
}

impl Breach {
    fn kind(&self) -> &'static str {
        match self {
            Self::Memory { .. } | Self::Tables { .. } => "memory",
            Self::Credits { .. } => "host-calls",
            Self::HostObjects { .. } => "handles",
            Self::HostBytes { .. } | Self::ResizeSide { .. } | Self::ResizePixels { .. } => "host-memory",
            Self::Import { .. } => "import",
            Self::Cancelled => CANCELLED,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Memory { .. } => "read the image in rows instead of whole, or free what is no longer needed",
            Self::Tables { .. } => "no honest plugin needs tables of this size",
            Self::Credits { .. } => "ask the host once for each image and keep the answer",
            Self::HostObjects { .. } => "drop images and tensors before making more",
            Self::HostBytes { .. } => "drop images and tensors before making more, or make them smaller",
            Self::ResizeSide { .. } | Self::ResizePixels { .. } => "resize to a smaller image",
            Self::Cancelled => "run it again",
            Self::Import { .. } => {
                "a plugin gets pixels, its config, a log and the models of the suite, and nothing else; take out what needs this"
            }
        }
    }
}

/// Where something happened: the beginning of every message.
pub(crate) struct Place<'a> {
    /// The plugin's name.
    pub(crate) plugin: &'a str,
    /// The metric's or generator's name; none while the plugin describes itself, when the [`LoadError`](crate::LoadError) around
    /// the error says all of this.
    pub(crate) of: Option<&'a str>,
    /// The case.
    pub(crate) sample: Option<&'a str>,
}

impl Place<'_> {
    /// An error here.
    pub(crate) fn error(&self, kind: &str, what: impl AsRef<str>, hint: Option<String>) -> MetricError {
        let Some(of) = self.of else {
            return MetricError { kind: kind.to_owned(), message: what.as_ref().to_owned(), hint };
        };
        let case = self.sample.map(|id| format!(" on case `{}`", text::line(id, 200))).unwrap_or_default();
        let message = format!("plugin `{}` failed in `{of}`{case}: {}", self.plugin, what.as_ref());
        MetricError { kind: kind.to_owned(), message, hint }
    }

    /// The suite's config does not fit: its author's mistake, not the plugin's failure.
    pub(crate) fn config_error(&self, what: &str, hint: &str) -> MetricError {
        let name = self.of.map_or_else(|| self.plugin.to_owned(), |of| format!("{}/{of}", self.plugin));
        let message = format!("config of `{name}`: {what}");
        MetricError { kind: "invalid-config".to_owned(), message, hint: Some(hint.to_owned()) }
    }
}

/// Whether this is the system's own word for having no memory.
fn is_refused_by_the_system(cause: &(dyn std::error::Error + 'static)) -> bool {
    /// ENOMEM, the same number on Linux and macOS.
    const NO_MEMORY: i32 = 12;
    cause.to_string().contains(&format!("(os error {NO_MEMORY})"))
}

/// What `error`, which ended a call, means.
pub(crate) fn explain(error: &wasmtime::Error, state: &State, place: &Place<'_>) -> MetricError {
    let (limits, budget) = (state.limits(), state.budget());
    if let Some(breach) = error.downcast_ref::<Breach>() {
        return place.error(breach.kind(), breach.to_string(), Some(breach.hint().to_owned()));
    }
    if let Some(unreadable) = error.downcast_ref::<Unreadable>() {
        return unreadable.end();
    }
    let root = error.root_cause().to_string();
    // wasmtime has no types for these
    if root.contains("fuel allocated for hostcalls") {
        let what = format!("it passed more than {} to the host at once", bytes(budget.transfer));
        return place.error("output", what, Some("return fewer and shorter strings".into()));
    }
    if root.contains("handle limit exceeded") {
        let what = format!("it held more than {} handles", limits.handles);
        return place.error("handles", what, Some("drop images before taking more".into()));
    }
    if root.starts_with("resource limit exceeded") {
        return place.error("memory", format!("it is made of too many parts ({})", text::line(&root, 200)), None);
    }
    let trace = backtrace::of(error);
    let failed = |kind: &str, what: String, hint: Option<&str>| {
        let what = trace.lines.iter().fold(what, |text, frame| format!("{text}\n  {frame}"));
        place.error(kind, what, hint.map(str::to_owned))
    };
    let Some(trap) = error.downcast_ref::<Trap>() else {
        if error.chain().any(is_refused_by_the_system) {
            let what = format!("the system gives its sandbox no memory: {}", text::line(&root, 300));
            let hint =
                "a sandbox reserves some gigabytes of address space and uses what it needs of them: raise `ulimit -v`";
            return failed("memory", what, Some(hint));
        }
        return failed("trap", format!("it broke off: {}", text::line(&root, 300)), None);
    };
    match trap {
        Trap::OutOfFuel => {
            let what = format!("it ran out of fuel after {} units", grouped(budget.fuel));
            failed("fuel", what, Some("look for an endless loop; if it truly needs more, raise the limit with --fuel"))
        }
        Trap::Interrupt => {
            let what = format!("it took longer than {} s", budget.time.as_secs_f64());
            failed("timeout", what, Some("look for an endless loop, or lower --fuel so that fuel ends it first"))
        }
        Trap::StackOverflow => {
            let what = format!("its calls nest deeper than {} of stack hold", bytes(Limits::STACK_BYTES));
            failed("stack", what, Some("look for endless recursion"))
        }
        _ => match panic_text(&state.stderr) {
            Some(said) => failed("panic", format!("it panicked{said}"), None),
            None => failed("trap", format!("it trapped: {trap}"), trace.advice),
        },
    }
}

/// What the plugin wrote before it trapped, as the end of "it panicked": the place and the message where the standard library
/// said them first, without its advice.
fn panic_text(stderr: &[u8]) -> Option<String> {
    let said = String::from_utf8_lossy(stderr);
    let kept: Vec<_> =
        said.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("note: run with")).collect();
    let place = |line: &str| {
        line.strip_prefix("thread '")
            .and_then(|rest| rest.split_once("panicked at "))
            .map(|(_, place)| place.to_owned())
    };
    let panic = kept.iter().enumerate().find_map(|(i, line)| Some((i, place(line)?)));
    let said = match panic {
        None if kept.is_empty() => return None,
        None => format!(": {}", kept.join("\n")),
        Some((i, place)) => {
            let (before, message) = (&kept[..i], kept[i + 1..].join("\n"));
            let before = if before.is_empty() {
                String::new()
            } else {
                format!("\nbefore that it wrote: {}", before.join("\n"))
            };
            format!(" at {place} {message}{before}")
        }
    };
    Some(text::block(said.trim_end(), 1_000))
}

/// `1234567` as `1,234,567`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes in the unit they were meant in.
pub(crate) fn bytes(count: usize) -> String {
    match count {
        count if count >= 1 << 20 => format!("{} MiB", count.div_ceil(1 << 20)),
        count if count >= 1 << 10 => format!("{} KiB", count.div_ceil(1 << 10)),
        count => format!("{count} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(["0", "999", "1,000", "20,000,000,000"], [0, 999, 1_000, 20_000_000_000].map(grouped).as_slice());
        assert_eq!(["512 KiB", "256 MiB", "12 bytes"], [512 << 10, 256 << 20, 12].map(bytes).as_slice());
    }

    #[test]
    fn the_text_of_a_panic_is_kept_and_disarmed() {
        let said =
            b"\nthread '<unnamed>' panicked at src/lib.rs:3:5:\nbad \x1b[31mluck\nnote: run with `RUST_BACKTRACE=1`\n";
        assert_eq!(panic_text(said).as_deref(), Some(" at src/lib.rs:3:5: bad \\u{1b}[31mluck"));
        assert_eq!(
            panic_text(b"one\nthread 'main' (1) panicked at src/lib.rs:3:5:\nno").as_deref(),
            Some(" at src/lib.rs:3:5: no\nbefore that it wrote: one")
        );
        assert_eq!(panic_text(b"going on\nabort").as_deref(), Some(": going on\nabort"));
        assert_eq!(panic_text(b"\n"), None);
    }
}
