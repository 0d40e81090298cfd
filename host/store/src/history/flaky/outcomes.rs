//! Images and scores that were not the same every time.
//!
//! Every execution there ever was is looked at. They are read in the order of the file and sorted here, as numbers: SQLite would join and
//! sort the names of every row. Names are asked for where something is flaky.

use std::collections::HashMap;

use rusqlite::params;

use super::{FlakyImage, FlakyScore};
use crate::history::{History, HistoryError};

/// An image that was made: of which sample, with which setup, which image, in which run.
type Made = [i64; 4];

/// A score: of which sample, by which metric, of which image; its value.
type Scored = ([i64; 3], f64);

impl History {
    pub(super) fn flaky_images(&self) -> Result<Vec<FlakyImage>, HistoryError> {
        let mut made = self.made()?;
        made.sort_unstable();
        // Sorted by image within a sample and setup: where the first is the last, all are the same.
        let same_inputs = made.chunk_by(|a, b| a[..2] == b[..2]);
        let unsteady: Vec<_> = same_inputs.filter(|made| made[0][2] != made[made.len() - 1][2]).collect();
        let runs = if unsteady.is_empty() { HashMap::new() } else { self.named("run")? };
        let mut found = Vec::new();
        for made in unsteady {
            let [sample, _, _, run] = made[0];
            let places = self.rows(
                "SELECT c.name, m.name, e.name FROM sample c JOIN test t ON t.id = c.test
                 JOIN run_suite rs ON rs.suite = t.suite AND rs.run = ? JOIN model m ON m.id = rs.model
                 JOIN environment e ON e.id = rs.environment WHERE c.id = ?",
                params![run, sample],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )?;
            for (case, model, environment) in places {
                let images = made.chunk_by(|a, b| a[2] == b[2]).map(|same| {
                    let mut names: Vec<String> = same.iter().filter_map(|made| runs.get(&made[3]).cloned()).collect();
                    names.sort_unstable();
                    Ok((self.digest_of(same[0][2])?, names))
                });
                let mut images = images.collect::<Result<Vec<_>, HistoryError>>()?;
                images.sort_by(|a, b| a.1.cmp(&b.1));
                found.push(FlakyImage { case, model, environment, images });
            }
        }
        let name = |flaky: &FlakyImage| (flaky.case.clone(), flaky.model.clone(), flaky.environment.clone());
        found.sort_by(|a, b| name(a).cmp(&name(b)).then_with(|| a.images.cmp(&b.images)));
        Ok(found)
    }

    /// Every image but those that were there already: of these, nothing is known but their file.
    fn made(&self) -> Result<Vec<Made>, HistoryError> {
        let tests: HashMap<i64, i64> = self
            .rows("SELECT id, test FROM sample", params![], |row| Ok((row.get(0)?, row.get(1)?)))?
            .into_iter()
            .collect();
        let setups: HashMap<(i64, i64), i64> = self
            .rows(
                "SELECT rt.run, rt.test, rt.setup FROM run_test rt JOIN test t ON t.id = rt.test
                 JOIN run_suite rs ON rs.run = rt.run AND rs.suite = t.suite JOIN environment e ON e.id = rs.environment
                 WHERE e.name <> 'images'",
                params![],
                |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)),
            )?
            .into_iter()
            .collect();
        let mut made: Vec<Made> = Vec::new();
        self.rows("SELECT run, sample, image FROM execution WHERE image IS NOT NULL", params![], |row| {
            let (run, sample) = (row.get(0)?, row.get(1)?);
            if let Some(setup) = tests.get(&sample).and_then(|test| setups.get(&(run, *test))) {
                made.push([sample, *setup, row.get(2)?, run]);
            }
            Ok(())
        })?;
        Ok(made)
    }

    pub(super) fn flaky_scores(&self) -> Result<Vec<FlakyScore>, HistoryError> {
        // A score beside a reference, or over a set, depends on more than its image. Scores outside: both tables in their own order.
        let mut scored: Vec<Scored> = self.rows(
            "SELECT s.sample, s.metric, x.image, s.value FROM score s CROSS JOIN execution x ON x.run = s.run AND x.sample = s.sample
             WHERE x.image IS NOT NULL AND s.metric IN (SELECT id FROM metric WHERE kind = 'image')",
            params![],
            |row| Ok(([row.get(0)?, row.get(1)?, row.get(2)?], row.get(3)?)),
        )?;
        scored.sort_unstable_by_key(|(of, _)| *of);
        let mut found = Vec::new();
        for same in scored.chunk_by(|a, b| a.0 == b.0) {
            let values = same.iter().map(|(_, value)| *value);
            let least = values.clone().fold(f64::INFINITY, f64::min);
            let most = values.fold(f64::NEG_INFINITY, f64::max);
            if least < most {
                let ([sample, metric, image], runs) = (same[0].0, same.len());
                let image = self.digest_of(image)?;
                found.extend(self.rows(
                    "SELECT c.name, m.name FROM sample c, metric m WHERE c.id = ? AND m.id = ?",
                    params![sample, metric],
                    |row| {
                        let (case, metric) = (row.get(0)?, row.get(1)?);
                        Ok(FlakyScore { case, metric, image: image.clone(), least, most, runs })
                    },
                )?);
            }
        }
        found.sort_by(|a, b| (&a.case, &a.metric, &a.image).cmp(&(&b.case, &b.metric, &b.image)));
        Ok(found)
    }

    fn digest_of(&self, image: i64) -> Result<String, HistoryError> {
        let sql = "SELECT lower(hex(digest)) FROM image WHERE id = ?";
        Ok(self.rows(sql, params![image], |row| row.get(0))?.pop().unwrap_or_default())
    }
}
