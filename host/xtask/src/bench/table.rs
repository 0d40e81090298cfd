//! The table of ratios.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::sample::Spread;

/// One line: a quantity on both sides, their ratio, and what it should be.
pub(super) struct Row {
    /// `a` to `p`.
    pub(super) measurement: char,
    /// What is measured, and against what.
    pub(super) what: String,
    pub(super) unit: Unit,
    pub(super) ours: Spread,
    /// The other side; `None` where the target is a number of its own.
    pub(super) theirs: Option<Spread>,
    pub(super) target: Target,
}

/// What the numbers are.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Seconds,
    Bytes,
    /// Floating-point operations in a second.
    Flops,
}

/// What is wanted of a row.
#[derive(Clone, Copy)]
pub(super) enum Target {
    /// Ours is to be at least so many times smaller.
    TimesLess(f64),
    /// Ours is to be at most so many times the other.
    TimesAtMost(f64),
    /// Ours is to stay under a number.
    Under(f64),
    /// Nothing is wanted; the number is stated.
    Stated,
}

impl Row {
    /// Theirs divided by ours: how many times faster or smaller.
    fn times_less(&self) -> Option<f64> {
        self.theirs.map(|theirs| theirs.median / self.ours.median)
    }

    fn met(&self) -> Option<bool> {
        match self.target {
            Target::TimesLess(times) => Some(self.times_less()? >= times),
            Target::TimesAtMost(times) => Some(1.0 / self.times_less()? <= times),
            Target::Under(number) => Some(self.ours.median < number),
            Target::Stated => None,
        }
    }

    fn ratio(&self) -> String {
        match (self.target, self.times_less()) {
            (_, None) => "-".to_owned(),
            (Target::TimesAtMost(_) | Target::Stated, Some(less)) => format!("{:.2} x", 1.0 / less),
            (_, Some(less)) => format!("1/{less:.2}"),
        }
    }

    fn wanted(&self) -> String {
        let wanted = match self.target {
            Target::TimesLess(times) => format!("1/{times} or less"),
            Target::TimesAtMost(times) => format!("{times} x or less"),
            Target::Under(number) => format!("under {}", self.unit.say(number)),
            Target::Stated => return "stated".to_owned(),
        };
        if self.met() == Some(false) { format!("{wanted}: MISSED") } else { wanted }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "measurement": self.measurement.to_string(),
            "what": self.what,
            "unit": self.unit.name(),
            "ours": self.ours.to_json(),
            "theirs": self.theirs.map(Spread::to_json),
            "ours_over_theirs": self.times_less().map(|less| 1.0 / less),
            "target": self.wanted(),
            "met": self.met(),
        })
    }
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
            Self::Flops => "operations per second",
        }
    }

    fn say(self, number: f64) -> String {
        match self {
            Self::Seconds if number < 1.0 => format!("{:.1} ms", number * 1e3),
            Self::Seconds => format!("{number:.2} s"),
            Self::Bytes => format!("{:.0} MB", number / 1e6),
            Self::Flops => format!("{:.0} GFLOP/s", number / 1e9),
        }
    }

    fn say_spread(self, spread: Spread) -> String {
        format!("{} ({} to {})", self.say(spread.median), self.say(spread.min), self.say(spread.max))
    }
}

/// The table: medians with their spread, ours divided by theirs, and the target.
pub(super) fn render(rows: &[Row]) -> String {
    let mut lines = vec![["", "what", "difftest", "other side", "ratio", "target"].map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        let theirs = row.theirs.map_or_else(|| "-".to_owned(), |theirs| row.unit.say_spread(theirs));
        let measurement = format!("({})", row.measurement);
        [measurement, row.what.clone(), row.unit.say_spread(row.ours), theirs, row.ratio(), row.wanted()]
    }));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        // writing to a string cannot fail
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ours: f64, theirs: Option<f64>, target: Target) -> Row {
        let spread = |median| Spread { median, min: median, max: median };
        let theirs = theirs.map(spread);
        Row { measurement: 'a', what: "x".to_owned(), unit: Unit::Seconds, ours: spread(ours), theirs, target }
    }

    #[test]
    fn targets_are_judged_by_medians() {
        assert_eq!(row(1.0, Some(3.0), Target::TimesLess(3.0)).met(), Some(true));
        assert_eq!(row(1.0, Some(2.9), Target::TimesLess(3.0)).met(), Some(false));
        assert_eq!(row(1.1, Some(1.0), Target::TimesAtMost(1.1)).met(), Some(true));
        assert_eq!(row(1.2, Some(1.0), Target::TimesAtMost(1.1)).met(), Some(false));
        assert_eq!(row(0.09, None, Target::Under(0.1)).met(), Some(true));
        assert_eq!(row(9.0, Some(1.0), Target::Stated).met(), None);
    }

    #[test]
    fn a_missed_target_is_marked() {
        let text = render(&[row(1.0, Some(2.0), Target::TimesLess(3.0)), row(0.05, None, Target::Under(0.1))]);
        assert!(text.contains("1/2.00") && text.contains("1/3 or less: MISSED"), "{text}");
        assert!(text.contains("under 100.0 ms") && !text.contains("under 100.0 ms: MISSED"), "{text}");
    }
}
