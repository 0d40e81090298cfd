//! Tests whose verdict was not the same every time.

use std::collections::{BTreeMap, HashMap};

use rusqlite::params;

use super::FlakyTest;
use crate::history::{History, HistoryError};

/// A test in one run.
struct Judged {
    run: String,
    verdict: String,
    /// Suite file, inputs of the images, metrics, baseline.
    inputs: (Option<String>, i64, String, Option<Vec<u8>>),
}

impl History {
    pub(super) fn flaky_tests(&self) -> Result<Vec<FlakyTest>, HistoryError> {
        let metrics: HashMap<(i64, i64), String> = self
            .rows(
                "SELECT run, test, group_concat(metric) FROM (SELECT run, test, metric FROM summary ORDER BY run, test, metric)
                 GROUP BY run, test",
                params![],
                |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)),
            )?
            .into_iter()
            .collect();
        let rows = self.rows(
            "SELECT s.name, t.name, m.name, e.name, r.name, rt.verdict, rs.digest, rt.setup, rt.run, rt.test, rt.baseline FROM run_test rt
             JOIN run r ON r.id = rt.run JOIN test t ON t.id = rt.test JOIN suite s ON s.id = t.suite
             JOIN run_suite rs ON rs.run = rt.run AND rs.suite = t.suite JOIN model m ON m.id = rs.model
             JOIN environment e ON e.id = rs.environment WHERE rt.verdict <> 'not-run' ORDER BY s.name, t.name, m.name, e.name, r.name",
            params![],
            |row| {
                let line: [String; 4] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
                let metrics = metrics.get(&(row.get(8)?, row.get(9)?)).cloned().unwrap_or_default();
                let inputs = (row.get(6)?, row.get(7)?, metrics, row.get(10)?);
                Ok((line, Judged { run: row.get(4)?, verdict: row.get(5)?, inputs }))
            },
        )?;
        let mut lines: BTreeMap<[String; 4], Vec<Judged>> = BTreeMap::new();
        rows.into_iter().for_each(|(line, judged)| lines.entry(line).or_default().push(judged));
        let flaky = lines.into_iter().filter_map(|([suite, test, model, environment], runs)| {
            let changed = || runs.windows(2).filter(|pair| pair[0].verdict != pair[1].verdict);
            let (changes, unexplained) =
                (changed().count(), changed().filter(|pair| pair[0].inputs == pair[1].inputs).count());
            let verdicts = runs.iter().map(|judged| (judged.run.clone(), judged.verdict.clone())).collect();
            (unexplained > 0).then_some(FlakyTest { suite, test, model, environment, changes, unexplained, verdicts })
        });
        Ok(flaky.collect())
    }
}
