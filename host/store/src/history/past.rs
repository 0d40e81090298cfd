//! What led to a run: the values of its tests and cases in the runs before it.

use std::collections::BTreeMap;

use rusqlite::params;

use super::{History, HistoryError};

/// A value of a run with those that it had before. Only what can be compared: of the same suite, model and environment, by the same
/// metric key; a mean over the same images, a score of the same prompt and seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// The suite.
    pub suite: String,
    /// The test.
    pub test: String,
    /// The case's id; `None` for the mean over the test.
    pub case: Option<String>,
    /// The metric's name.
    pub metric: String,
    /// The oldest first; the last is the run's own.
    pub points: Vec<PastPoint>,
}

/// A value in one run.
#[derive(Clone, Debug, PartialEq)]
pub struct PastPoint {
    /// The run's name.
    pub run: String,
    /// When it began by the clock.
    pub started: String,
    /// The value.
    pub value: f64,
}

/// Points of what has to be the same in all of them: test or sample, metric, and for a mean the images.
type Values = BTreeMap<(i64, i64, i64), Vec<PastPoint>>;

/// Which values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PastOf {
    /// The mean of each test.
    Tests,
    /// The score of each case.
    Cases,
}

impl PastOf {
    /// Asks for all values of a run in a suite: of what, by which metric, what else has to be the same, value.
    fn sql(self) -> &'static str {
        match self {
            Self::Tests => {
                "SELECT s.test, s.metric, s.samples, s.mean FROM summary s JOIN test t ON t.id = s.test WHERE s.run = ? AND t.suite = ?"
            }
            Self::Cases => {
                "SELECT s.sample, s.metric, 0, s.value FROM score s JOIN sample c ON c.id = s.sample JOIN test t ON t.id = c.test
                 WHERE s.run = ? AND t.suite = ?"
            }
        }
    }

    /// Names one of them.
    fn names(self) -> &'static str {
        match self {
            Self::Tests => "SELECT t.name, NULL, m.name FROM test t, metric m WHERE t.id = ? AND m.id = ?",
            Self::Cases => {
                "SELECT t.name, c.name, m.name FROM sample c JOIN test t ON t.id = c.test, metric m WHERE c.id = ? AND m.id = ?"
            }
        }
    }
}

impl History {
    /// The values of the run of this name as they were in the last `last` runs up to it, in the order of suites and names. None where the
    /// history does not have that run.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn past(&self, run: &str, of: PastOf, last: usize) -> Result<Vec<Past>, HistoryError> {
        let ids: Vec<i64> = self.rows("SELECT id FROM run WHERE name = ?", params![run], |row| row.get(0))?;
        let Some(&id) = ids.first() else { return Ok(Vec::new()) };
        let suites: Vec<(i64, i64, i64, String)> = self.rows(
            "SELECT rs.suite, rs.model, rs.environment, s.name FROM run_suite rs JOIN suite s ON s.id = rs.suite WHERE rs.run = ?
             ORDER BY s.name",
            params![id],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )?;
        let mut past = Vec::new();
        for (suite, model, environment, name) in suites {
            let runs: Vec<(i64, String, String)> = self.rows(
                "SELECT r.id, r.name, r.started FROM run_suite rs JOIN run r ON r.id = rs.run
                 WHERE rs.suite = ? AND rs.model = ? AND rs.environment = ? AND r.name <= ? ORDER BY r.name DESC LIMIT ?",
                params![suite, model, environment, run, i64::try_from(last).unwrap_or(i64::MAX)],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )?;
            let begin = past.len();
            for ((row, metric, _), points) in self.values(id, suite, &runs, of)? {
                let named =
                    self.rows(of.names(), params![row, metric], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
                let named = named.into_iter().next();
                past.extend(named.map(|(test, case, metric)| Past { suite: name.clone(), test, case, metric, points }));
            }
            past[begin..].sort_by(|a, b| (&a.test, &a.case, &a.metric).cmp(&(&b.test, &b.case, &b.metric)));
        }
        Ok(past)
    }

    /// The values of `id` and what they were in `runs`, of which the latest is first.
    fn values(&self, id: i64, suite: i64, runs: &[(i64, String, String)], of: PastOf) -> Result<Values, HistoryError> {
        let of_run = |run: i64| {
            self.rows(of.sql(), params![run, suite], |row| {
                Ok(((row.get(0)?, row.get(1)?, row.get(2)?), row.get::<_, f64>(3)?))
            })
        };
        let mut values: Values = of_run(id)?.into_iter().map(|(key, _)| (key, Vec::new())).collect();
        for (run, name, started) in runs.iter().rev() {
            for (key, value) in of_run(*run)? {
                if let Some(points) = values.get_mut(&key) {
                    points.push(PastPoint { run: name.clone(), started: started.clone(), value });
                }
            }
        }
        Ok(values)
    }
}
