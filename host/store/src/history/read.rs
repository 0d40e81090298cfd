//! Runs, and what each came to.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Row, params};
use serde::Serialize;

use super::{History, HistoryError};
use crate::runs::{self, ResolveError};

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunRow {
    /// Its name.
    pub run: String,
    /// When it began by the clock: RFC 3339, UTC.
    pub started: String,
    /// Wall time; `None` for a run that was killed.
    pub seconds: Option<f64>,
    /// `passed`, `failed`, `error`, `interrupted`; `None` for a run that was killed.
    pub conclusion: Option<String>,
    /// Version of difftest.
    pub difftest: String,
    /// The commit that was checked out.
    pub commit: Option<String>,
    /// What the user called it.
    pub label: Option<String>,
    /// Where its recording was written.
    pub folder: String,
    /// How many tests came to which verdict.
    pub verdicts: BTreeMap<String, usize>,
    /// Its models.
    pub models: Vec<String>,
    /// Its environments.
    pub environments: Vec<String>,
}

/// A run with everything that is kept of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunDetail {
    /// The run.
    #[serde(flatten)]
    pub run: RunRow,
    /// Its suites, by name.
    pub suites: Vec<SuiteRow>,
}

/// A suite of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SuiteRow {
    /// Its name.
    pub suite: String,
    /// The model.
    pub model: String,
    /// The class of environments.
    pub environment: String,
    /// Why none of its tests ran.
    pub error: Option<String>,
    /// Its tests.
    pub tests: Vec<TestRow>,
}

/// A test of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestRow {
    /// Its name.
    pub test: String,
    /// `pass`, `fail`, `inconclusive`, `error`, `not-run`.
    pub verdict: String,
    /// Its gates.
    pub gates: Vec<GateRow>,
    /// Its metrics over all of its images.
    pub metrics: Vec<MetricRow>,
    /// Its images.
    pub cases: Vec<CaseRow>,
}

/// A gate with what was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GateRow {
    /// The metric.
    pub metric: String,
    /// `mean`, `p10`, ...
    pub statistic: String,
    /// `bound`, `floor`, ...
    pub rule: String,
    /// Lower end of the bound.
    pub min: Option<f64>,
    /// Upper end of the bound.
    pub max: Option<f64>,
    /// What was compared with it.
    pub value: Option<f64>,
    /// Whether it holds.
    pub holds: bool,
    /// What was decided.
    pub decision: Option<String>,
}

/// A metric over the images of a test.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricRow {
    /// Its name.
    pub metric: String,
    /// Mean score.
    pub mean: f64,
    /// Least score.
    pub least: f64,
    /// Greatest score.
    pub most: f64,
    /// How many scores there are.
    pub scores: usize,
}

/// An image of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaseRow {
    /// The case's id.
    pub case: String,
    /// SHA-256 of size and pixels; `None` where there is no image.
    pub image: Option<String>,
    /// Whether it was found instead of being made.
    pub cached: bool,
    /// Time spent on it.
    pub seconds: Option<f64>,
    /// Its scores.
    pub scores: Vec<ScoreRow>,
}

/// A score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoreRow {
    /// The metric.
    pub metric: String,
    /// The score.
    pub value: f64,
}

impl History {
    /// The names of all runs, the oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn names(&self) -> Result<Vec<String>, HistoryError> {
        self.rows("SELECT name FROM run ORDER BY name", params![], |row| row.get(0))
    }

    /// The run that `text` names: a name or the beginning of one, `latest`, `latest~N`.
    ///
    /// # Errors
    /// When that is none, or more than one.
    pub fn resolve(&self, text: &str) -> Result<String, HistoryError> {
        let names = self.names()?;
        if names.is_empty() {
            return Err(ResolveError::NoRuns(self.path()).into());
        }
        Ok(runs::pick(&names, text)?.to_owned())
    }

    /// The last `limit` runs, the latest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn runs(&self, limit: Option<usize>) -> Result<Vec<RunRow>, HistoryError> {
        let limit = limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(-1);
        let ids: Vec<i64> =
            self.rows("SELECT id FROM run ORDER BY name DESC LIMIT ?", params![limit], |row| row.get(0))?;
        ids.into_iter().map(|id| self.run_row(id)).collect()
    }

    pub(super) fn run_row(&self, id: i64) -> Result<RunRow, HistoryError> {
        let mut found = self.rows(
            "SELECT name, started, seconds, conclusion, difftest, checkout, label, folder FROM run WHERE id = ?",
            params![id],
            |row| {
                Ok(RunRow {
                    run: row.get(0)?,
                    started: row.get(1)?,
                    seconds: row.get(2)?,
                    conclusion: row.get(3)?,
                    difftest: row.get(4)?,
                    commit: row.get(5)?,
                    label: row.get(6)?,
                    folder: row.get(7)?,
                    verdicts: BTreeMap::new(),
                    models: Vec::new(),
                    environments: Vec::new(),
                })
            },
        )?;
        let mut run = found.pop().ok_or_else(|| self.failed(rusqlite::Error::QueryReturnedNoRows))?;
        let words = |sql: &str| self.rows(sql, params![id], |row| row.get::<_, String>(0));
        run.models = words(
            "SELECT DISTINCT name FROM model WHERE name <> '' AND id IN (SELECT model FROM run_suite WHERE run = ?) ORDER BY name",
        )?;
        run.environments = words(
            "SELECT DISTINCT name FROM environment WHERE name <> '' AND id IN (SELECT environment FROM run_suite WHERE run = ?) ORDER BY name",
        )?;
        run.verdicts = self
            .rows("SELECT verdict, count(*) FROM run_test WHERE run = ? GROUP BY verdict", params![id], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)? as usize))
            })?
            .into_iter()
            .collect();
        Ok(run)
    }

    /// Everything of the run called `name`.
    ///
    /// # Errors
    /// When there is none, or the file cannot be read.
    pub fn run(&self, name: &str) -> Result<RunDetail, HistoryError> {
        let ids = self.rows("SELECT id FROM run WHERE name = ?", params![name], |row| row.get::<_, i64>(0))?;
        let unknown = || ResolveError::Unknown { text: name.to_owned(), nearest: None };
        let id = *ids.first().ok_or_else(unknown)?;
        let suites = self.rows(
            "SELECT s.id, s.name, m.name, e.name, r.error FROM run_suite r JOIN suite s ON s.id = r.suite JOIN model m ON m.id = r.model
             JOIN environment e ON e.id = r.environment WHERE r.run = ? ORDER BY s.name",
            params![id],
            |row| {
                let suite = SuiteRow {
                    suite: row.get(1)?,
                    model: row.get(2)?,
                    environment: row.get(3)?,
                    error: row.get(4)?,
                    tests: Vec::new(),
                };
                Ok((row.get::<_, i64>(0)?, suite))
            },
        )?;
        let metrics: HashMap<i64, String> = self
            .rows("SELECT id, name FROM metric", params![], |row| Ok((row.get(0)?, row.get(1)?)))?
            .into_iter()
            .collect();
        let mut detail = RunDetail { run: self.run_row(id)?, suites: Vec::new() };
        for (suite_id, mut suite) in suites {
            let tests = self.rows(
                "SELECT t.id, t.name, r.verdict FROM run_test r JOIN test t ON t.id = r.test WHERE r.run = ? AND t.suite = ? ORDER BY t.id",
                params![id, suite_id],
                |row| Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?)),
            )?;
            for (test_id, test, verdict) in tests {
                suite.tests.push(TestRow {
                    test,
                    verdict,
                    gates: self.gates(id, test_id)?,
                    metrics: self.means(id, test_id)?,
                    cases: Vec::new(),
                });
                let test = suite.tests.last_mut().into_iter();
                for test in test {
                    test.cases = self.cases(id, test_id, &metrics)?;
                }
            }
            detail.suites.push(suite);
        }
        Ok(detail)
    }

    fn gates(&self, run: i64, test: i64) -> Result<Vec<GateRow>, HistoryError> {
        self.rows(
            "SELECT metric, statistic, rule, min, max, value, holds, decision FROM gate WHERE run = ? AND test = ? ORDER BY place",
            params![run, test],
            |row| {
                Ok(GateRow {
                    metric: row.get(0)?,
                    statistic: row.get(1)?,
                    rule: row.get(2)?,
                    min: row.get(3)?,
                    max: row.get(4)?,
                    value: row.get(5)?,
                    holds: row.get(6)?,
                    decision: row.get(7)?,
                })
            },
        )
    }

    fn means(&self, run: i64, test: i64) -> Result<Vec<MetricRow>, HistoryError> {
        self.rows(
            "SELECT m.name, s.mean, s.least, s.most, s.images FROM summary s JOIN metric m ON m.id = s.metric
             WHERE s.run = ? AND s.test = ? ORDER BY m.name",
            params![run, test],
            |row| {
                Ok(MetricRow {
                    metric: row.get(0)?,
                    mean: row.get(1)?,
                    least: row.get(2)?,
                    most: row.get(3)?,
                    scores: row.get::<_, i64>(4)? as usize,
                })
            },
        )
    }

    fn cases(&self, run: i64, test: i64, metrics: &HashMap<i64, String>) -> Result<Vec<CaseRow>, HistoryError> {
        let cases = self.rows(
            "SELECT x.sample, c.name, lower(hex(i.digest)), x.cached, x.seconds FROM sample c JOIN execution x ON x.run = ? AND x.sample = c.id
             LEFT JOIN image i ON i.id = x.image WHERE c.test = ? ORDER BY c.id",
            params![run, test],
            |row| {
                let image: String = row.get::<_, Option<String>>(2)?.unwrap_or_default();
                let case = CaseRow {
                    case: row.get(1)?,
                    image: Some(image).filter(|image| !image.is_empty()),
                    cached: row.get(3)?,
                    seconds: row.get(4)?,
                    scores: Vec::new(),
                };
                Ok((row.get::<_, i64>(0)?, case))
            },
        )?;
        let with_scores = cases.into_iter().map(|(sample, mut case)| {
            case.scores = self.rows(
                "SELECT metric, value FROM score WHERE run = ? AND sample = ? ORDER BY metric",
                params![run, sample],
                |row| {
                    let metric = metrics.get(&row.get(0)?).cloned().unwrap_or_default();
                    Ok(ScoreRow { metric, value: row.get(1)? })
                },
            )?;
            Ok(case)
        });
        with_scores.collect()
    }

    /// All rows of a question.
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, HistoryError> {
        let ask = || self.connection.prepare_cached(sql)?.query_map(values, read)?.collect();
        let answer: rusqlite::Result<Vec<T>> = ask();
        answer.map_err(|source| self.failed(source))
    }
}
