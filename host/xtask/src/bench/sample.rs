//! Running one side once, and what many runs of several sides say.

use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::step::{self, Failure};

/// One side of a comparison: its name, and how to run it once.
pub(super) struct Side<'a> {
    pub(super) name: &'static str,
    pub(super) command: Box<dyn Fn() -> Command + 'a>,
}

impl<'a> Side<'a> {
    pub(super) fn new(name: &'static str, command: impl Fn() -> Command + 'a) -> Self {
        Self { name, command: Box::new(command) }
    }
}

/// All runs of one side: what each printed, with its wall time as `wall_seconds`.
pub(super) struct Samples {
    pub(super) name: &'static str,
    runs: Vec<Value>,
}

/// The middle of some numbers and the ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

/// Runs every side `repeats` times, in turns, so that all of them see the same machine.
pub(super) fn interleave(sides: &[Side<'_>], repeats: usize) -> Result<Vec<Samples>, Failure> {
    let mut all: Vec<Samples> = sides.iter().map(|side| Samples { name: side.name, runs: Vec::new() }).collect();
    for repeat in 1..=repeats {
        for (side, samples) in sides.iter().zip(&mut all) {
            let began = Instant::now();
            let printed = step::output(&mut (side.command)())?;
            let wall = began.elapsed().as_secs_f64();
            // a side that prints nothing to read is measured by its wall time alone
            let mut run =
                printed.lines().next_back().and_then(|line| serde_json::from_str(line).ok()).unwrap_or(json!({}));
            if let Value::Object(fields) = &mut run {
                fields.insert("wall_seconds".to_owned(), json!(wall));
            }
            eprintln!("  {repeat}/{repeats} {:<28} {wall:8.3} s", side.name);
            samples.runs.push(run);
        }
    }
    Ok(all)
}

impl Samples {
    /// The spread of a number that every run printed; of all numbers, where it is a list.
    pub(super) fn of(&self, field: &str) -> Result<Spread, Failure> {
        let values: Vec<f64> = self.runs.iter().flat_map(|run| numbers(&run[field])).collect();
        Spread::of(values).ok_or_else(|| Failure::new(format!("{} printed no `{field}`", self.name)))
    }

    pub(super) fn to_json(&self) -> Value {
        json!({ "side": self.name, "runs": self.runs })
    }
}

impl Spread {
    pub(super) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) };
        Some(Self { median, min, max })
    }

    /// So much work in these times, per second.
    pub(super) fn rate(self, work: f64) -> Self {
        Self { median: work / self.median, min: work / self.max, max: work / self.min }
    }

    pub(super) fn to_json(self) -> Value {
        json!({ "median": self.median, "min": self.min, "max": self.max })
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().filter_map(Value::as_f64).collect(),
        single => single.as_f64().into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_counts() {
        let spread = |values: &[f64]| Spread::of(values.to_vec());
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(spread(&[4.0, 1.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
    }

    #[test]
    fn a_list_counts_with_all_of_its_numbers() {
        let runs = vec![json!({ "step_seconds": [1.0, 9.0] }), json!({ "step_seconds": [2.0] })];
        let samples = Samples { name: "side", runs };
        assert_eq!(samples.of("step_seconds").ok().map(|spread| spread.median), Some(2.0));
        assert!(samples.of("nothing").is_err());
    }
}
