//! What a run is called: `20261121-093000-4f1c2a`, the second it began in (UTC), then the millisecond and a random part in hex.
//!
//! Names sort in the order in which runs began, and everything that says `latest` or draws a line over runs goes by that. Where the clock
//! stands before the last run of this project (it was set back, or another machine's is ahead), a run is named as if it began just
//! after that one, and says so: a name is the time or later, never earlier than what is there. When it really began is kept too.

use std::path::Path;

use difftest_store::run_folder::{DEFAULT_ROOT, RunFolder};
use difftest_store::runs;
use jiff::civil::DateTime;
use jiff::{Timestamp, ToSpan as _};

use crate::ui::Ui;

/// A run that begins now.
#[derive(Debug)]
pub(crate) struct RunName {
    /// Unique, and after every name that is there.
    pub(crate) name: String,
    /// When it began by the clock: RFC 3339, UTC.
    pub(crate) started: String,
}

/// Notes that the run `name` is kept in a folder of its own, for everything that says `latest`. Where that cannot be noted, the run goes on.
pub(crate) fn elsewhere(folder: RunFolder, name: &str, ui: &mut Ui) -> RunFolder {
    if let Err(error) = runs::note_elsewhere(Path::new(DEFAULT_ROOT), name, folder.path()) {
        ui.note(&format!("`latest` will not find this run: {error}"));
    }
    folder
}

/// The name of the run that begins now in the working directory.
pub(crate) fn next(ui: &mut Ui) -> RunName {
    let now = Timestamp::now();
    let last = runs::all_names(Path::new(DEFAULT_ROOT)).into_iter().rfind(|name| parse(name).is_some());
    let random = uuid::Uuid::new_v7(uuid::Timestamp::now(uuid::NoContext)).as_bytes()[14..]
        .iter()
        .fold(0, |bits, byte| bits << 8 | u32::from(*byte));
    let name = after(now, last.as_deref(), random);
    if let Some(last) = last.filter(|_| ahead(&name, now)) {
        ui.note(&format!(
            "the clock stands before the last run, {last}: this one is named {name}, to be the latest; when it really began is kept"
        ));
    }
    RunName { name, started: rfc3339(now) }
}

/// The time by the clock: RFC 3339, UTC.
pub(crate) fn now() -> String {
    rfc3339(Timestamp::now())
}

fn rfc3339(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

const STAMP: &str = "%Y%m%d-%H%M%S";

/// Bits of a name's last part that are random; those above tell the millisecond.
const RANDOM: u32 = 14;

/// The name for `now`, or one a little after `last` where that is later.
fn after(now: Timestamp, last: Option<&str>, random: u32) -> String {
    let random = random & ((1 << RANDOM) - 1);
    let millisecond = now.subsec_millisecond().unsigned_abs();
    let name = format!("{}-{:06x}", now.strftime(STAMP), (millisecond << RANDOM) | random);
    match last {
        Some(last) if *last >= *name => {
            let Some((stamp, tail)) = parse(last) else { return name };
            // Two runs that begin together after the same last one are told apart by their random parts.
            let next = tail + 1 + random;
            if next < 1 << 24 {
                return format!("{}-{next:06x}", stamp.strftime(STAMP));
            }
            let stamp = stamp.checked_add(1.second()).unwrap_or(stamp);
            format!("{}-{:06x}", stamp.strftime(STAMP), next & ((1 << 24) - 1))
        }
        _ => name,
    }
}

/// Whether a name is that of a time which is noticeably after `now`. Runs that begin within a moment of each other need no word.
fn ahead(name: &str, now: Timestamp) -> bool {
    let now = now.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    parse(name).is_some_and(|(stamp, _)| stamp.duration_since(now).as_secs() >= 2)
}

/// The second and the last part of a name that this module gave.
fn parse(name: &str) -> Option<(DateTime, u32)> {
    let (stamp, tail) = name.split_at_checked(15)?;
    let tail = tail.strip_prefix('-').filter(|tail| tail.len() == 6 && tail.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some((DateTime::strptime(STAMP, stamp).ok()?, u32::from_str_radix(tail, 16).ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn names_sort_by_time_within_a_second_too() {
        let names = ["2026-11-21T09:30:00.001Z", "2026-11-21T09:30:00.999Z", "2026-11-21T09:30:01Z"];
        let names = names.map(|time| after(at(time), None, u32::MAX));
        assert_eq!(names[0], "20261121-093000-007fff");
        assert!(names.is_sorted(), "{names:?}");
    }

    #[test]
    fn a_clock_that_goes_back_does_not_change_the_order() {
        let mut last = after(at("2026-11-21T09:30:00Z"), None, 5);
        let now = at("2020-01-01T00:00:00Z");
        for step in 0..3000_u32 {
            let name = after(now, Some(&last), step.wrapping_mul(2_654_435_761) >> 3);
            assert!(name > last, "{name} after {last}");
            assert!(parse(&name).is_some(), "{name}");
            last = name;
        }
        assert!(last.starts_with("20261121-0930"), "names run ahead slowly: {last}");
        assert!(ahead(&last, now));
        assert!(!ahead(&last, at("2026-11-21T09:31:00Z")));
        let name = after(at("2026-11-22T00:00:00Z"), Some(&last), 0);
        assert_eq!(name, "20261122-000000-000000", "the clock is right again");
    }

    #[test]
    fn names_of_others_are_left_alone() {
        for name in [
            "notes",
            "20261121-093000-4f1c",
            "20261121-993000-4f1c2a",
            "20261121-093000-4f1c2g",
            "ü20261121093000-4f1c2a",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
