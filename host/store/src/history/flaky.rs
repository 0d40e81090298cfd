//! Same inputs, another outcome: what should be the same every time and was not.

use std::collections::{BTreeMap, HashMap};

use rusqlite::params;
use serde::Serialize;

use super::{History, HistoryError};

/// What was not the same every time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Flakes {
    /// Cases whose image changed although model, settings, prompt, seed and runtime did not.
    pub images: Vec<FlakyImage>,
    /// Scores that changed although image, prompt and metric did not.
    pub scores: Vec<FlakyScore>,
    /// Tests whose verdict changed although nothing else did, or that went back and forth.
    pub tests: Vec<FlakyTest>,
}

/// A case with several images for the same inputs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlakyImage {
    /// The case's id.
    pub case: String,
    /// The model.
    pub model: String,
    /// The environment.
    pub environment: String,
    /// Each image with the runs that had it, in the order of their first runs.
    pub images: Vec<(String, Vec<String>)>,
}

/// An image with several scores by the same metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlakyScore {
    /// The case's id.
    pub case: String,
    /// The metric.
    pub metric: String,
    /// The image.
    pub image: String,
    /// Least score.
    pub least: f64,
    /// Greatest score.
    pub most: f64,
    /// In how many runs.
    pub runs: usize,
}

/// A test whose verdict changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlakyTest {
    /// The suite.
    pub suite: String,
    /// The test.
    pub test: String,
    /// The model.
    pub model: String,
    /// The environment.
    pub environment: String,
    /// How often the verdict was another than in the run before.
    pub changes: usize,
    /// How often of these the suite, the images' inputs and the metrics were the same.
    pub unexplained: usize,
    /// Each run's verdict, the oldest first.
    pub verdicts: Vec<(String, String)>,
}

/// A test in one run.
struct Judged {
    run: String,
    verdict: String,
    /// Suite file, inputs of the images, metrics.
    inputs: (Option<String>, i64, String),
}

impl History {
    /// Everything that was not the same every time.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn flaky(&self) -> Result<Flakes, HistoryError> {
        Ok(Flakes { images: self.flaky_images()?, scores: self.flaky_scores()?, tests: self.flaky_tests()? })
    }

    fn flaky_images(&self) -> Result<Vec<FlakyImage>, HistoryError> {
        // Of images that are there already, nothing is known but their file.
        let rows = self.rows(
            "WITH unsteady AS (
                 SELECT x.sample AS sample, t.setup AS setup FROM execution x JOIN sample c ON c.id = x.sample
                 JOIN run_test t ON t.run = x.run AND t.test = c.test WHERE x.image IS NOT NULL
                 GROUP BY x.sample, t.setup HAVING count(DISTINCT x.image) > 1)
             SELECT c.name, u.setup, m.name, e.name, lower(hex(i.digest)), r.name, c.id FROM unsteady u JOIN sample c ON c.id = u.sample
             JOIN test t ON t.id = c.test JOIN run_test rt ON rt.test = t.id AND rt.setup = u.setup
             JOIN execution x ON x.run = rt.run AND x.sample = u.sample JOIN image i ON i.id = x.image JOIN run r ON r.id = rt.run
             JOIN run_suite rs ON rs.run = rt.run AND rs.suite = t.suite JOIN environment e ON e.id = rs.environment
             JOIN model m ON m.id = rs.model WHERE e.name <> 'images' ORDER BY c.name, u.setup, r.name",
            params![],
            |row| {
                let key: (String, i64, i64) = (row.get(0)?, row.get(6)?, row.get(1)?);
                Ok((key, row.get(2)?, row.get(3)?, row.get::<_, String>(4)?, row.get::<_, String>(5)?))
            },
        )?;
        let mut found: BTreeMap<(String, i64, i64), FlakyImage> = BTreeMap::new();
        for (key, model, environment, image, run) in rows {
            let case = key.0.clone();
            let flaky = found.entry(key).or_insert_with(|| FlakyImage { case, model, environment, images: Vec::new() });
            match flaky.images.iter_mut().find(|(known, _)| *known == image) {
                Some((_, runs)) => runs.push(run),
                None => flaky.images.push((image, vec![run])),
            }
        }
        Ok(found.into_values().filter(|flaky| flaky.images.len() > 1).collect())
    }

    fn flaky_scores(&self) -> Result<Vec<FlakyScore>, HistoryError> {
        // A score beside a reference, or over a set, depends on more than its image.
        self.rows(
            "SELECT c.name, m.name, lower(hex(i.digest)), min(s.value), max(s.value), count(*) FROM score s
             JOIN execution x ON x.run = s.run AND x.sample = s.sample JOIN sample c ON c.id = s.sample JOIN metric m ON m.id = s.metric
             JOIN image i ON i.id = x.image WHERE m.kind = 'image' GROUP BY s.sample, s.metric, x.image
             HAVING min(s.value) <> max(s.value) ORDER BY c.name, m.name",
            params![],
            |row| {
                Ok(FlakyScore {
                    case: row.get(0)?,
                    metric: row.get(1)?,
                    image: row.get(2)?,
                    least: row.get(3)?,
                    most: row.get(4)?,
                    runs: row.get::<_, i64>(5)? as usize,
                })
            },
        )
    }

    fn flaky_tests(&self) -> Result<Vec<FlakyTest>, HistoryError> {
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
            "SELECT s.name, t.name, m.name, e.name, r.name, rt.verdict, rs.digest, rt.setup, rt.run, rt.test FROM run_test rt
             JOIN run r ON r.id = rt.run JOIN test t ON t.id = rt.test JOIN suite s ON s.id = t.suite
             JOIN run_suite rs ON rs.run = rt.run AND rs.suite = t.suite JOIN model m ON m.id = rs.model
             JOIN environment e ON e.id = rs.environment WHERE rt.verdict <> 'not-run' ORDER BY s.name, t.name, m.name, e.name, r.name",
            params![],
            |row| {
                let line: [String; 4] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
                let metrics = metrics.get(&(row.get(8)?, row.get(9)?)).cloned().unwrap_or_default();
                let inputs = (row.get(6)?, row.get(7)?, metrics);
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
            (unexplained > 0 || changes > 1).then_some(FlakyTest {
                suite,
                test,
                model,
                environment,
                changes,
                unexplained,
                verdicts,
            })
        });
        Ok(flaky.collect())
    }
}
