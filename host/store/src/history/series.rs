//! A metric over runs.

use std::collections::{BTreeMap, HashMap, HashSet};

use difftest_core::gate::Statistic;
use difftest_core::select::Expression;
use rusqlite::params;
use serde::Serialize;

use super::{History, HistoryError};

/// Which series are asked for. What is empty or `None` takes all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The metric's name.
    pub metric: String,
    /// Only this suite.
    pub suite: Option<String>,
    /// Only this test.
    pub test: Option<String>,
    /// Only models whose name has this in it.
    pub model: Option<String>,
    /// Only environments whose name has this in it.
    pub environment: Option<String>,
    /// Only cases whose id matches: then means are over those alone.
    pub cases: Option<Expression>,
    /// Only the last so many runs of each series.
    pub last: Option<usize>,
}

/// One test's mean of one metric over runs: the same metric key, environment, model and images all along.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// The suite.
    pub suite: String,
    /// The test.
    pub test: String,
    /// The metric's name.
    pub metric: String,
    /// What exactly gave the scores: variant, plugin, models, config and reference.
    pub metric_key: String,
    /// `higher`, `lower` or `neither` is better.
    pub better: &'static str,
    /// The model's name.
    pub model: String,
    /// The class of environments.
    pub environment: String,
    /// How many scores each mean is over: images, or 1 for a metric over the whole set.
    pub scores: usize,
    /// The runs, the oldest first.
    pub points: Vec<Point>,
}

/// A run in a series.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Its name.
    pub run: String,
    /// When it began by the clock.
    pub started: String,
    /// The commit that was checked out.
    pub commit: Option<String>,
    /// What the user called it.
    pub label: Option<String>,
    /// The test's verdict.
    pub verdict: String,
    /// Mean score.
    pub mean: f64,
    /// Least score.
    pub least: f64,
    /// Greatest score.
    pub most: f64,
}

/// What keeps points apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    model: i64,
    environment: i64,
    metric: i64,
    test: i64,
    samples: i64,
}

struct Mean {
    run: i64,
    images: usize,
    mean: f64,
    least: f64,
    most: f64,
}

impl History {
    /// The series of a metric: model by model, environment by environment, test by test.
    ///
    /// # Errors
    /// [`HistoryError::NoMetric`] where no score was ever kept under the name; when the file cannot be read.
    pub fn series(&self, filter: &Filter) -> Result<Vec<Series>, HistoryError> {
        let metrics = self.metrics(&filter.metric)?;
        let tests: HashMap<i64, (i64, String, String)> = self
            .rows("SELECT t.id, s.id, s.name, t.name FROM test t JOIN suite s ON s.id = t.suite", params![], |row| {
                Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?)))
            })?
            .into_iter()
            .filter(|(_, (_, suite, test)): &(i64, (i64, String, String))| {
                filter.suite.as_ref().is_none_or(|wanted| wanted == suite)
                    && filter.test.as_ref().is_none_or(|wanted| wanted == test)
            })
            .collect();
        let models = self.named("model")?;
        let environments = self.named("environment")?;
        let has =
            |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| name.contains(wanted.as_str()));
        let places: HashMap<(i64, i64), (i64, i64)> = self
            .rows("SELECT run, suite, model, environment FROM run_suite", params![], |row| {
                Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?)))
            })?
            .into_iter()
            .filter(|(_, (model, environment))| {
                has(&filter.model, &models[model]) && has(&filter.environment, &environments[environment])
            })
            .collect();
        let mut lines: BTreeMap<Line, Vec<Mean>> = BTreeMap::new();
        let mut add = |metric: i64, test: i64, samples: i64, mean: Mean| {
            let Some((suite, ..)) = tests.get(&test) else { return };
            let Some((model, environment)) = places.get(&(mean.run, *suite)) else { return };
            let line = Line { model: *model, environment: *environment, metric, test, samples };
            lines.entry(line).or_default().push(mean);
        };
        for metric in metrics.keys() {
            match &filter.cases {
                None => self.summaries(*metric, &mut add)?,
                Some(expression) => self.means_of_cases(*metric, expression, &mut add)?,
            }
        }
        let runs = self.points()?;
        let verdicts: HashMap<(i64, i64), String> = self
            .rows("SELECT run, test, verdict FROM run_test", params![], |row| {
                Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
            })?
            .into_iter()
            .collect();
        let mut series = Vec::new();
        for (line, mut means) in lines {
            means.retain(|mean| runs.contains_key(&mean.run));
            means.sort_by(|a, b| runs[&a.run].run.cmp(&runs[&b.run].run));
            means.drain(..filter.last.map_or(0, |last| means.len().saturating_sub(last)));
            let Some(scores) = means.last().map(|mean| mean.images) else { continue };
            let (_, suite, test) = &tests[&line.test];
            let (key, better) = &metrics[&line.metric];
            let points = means.iter().map(|mean| Point {
                verdict: verdicts.get(&(mean.run, line.test)).cloned().unwrap_or_default(),
                mean: mean.mean,
                least: mean.least,
                most: mean.most,
                ..runs[&mean.run].clone()
            });
            series.push(Series {
                suite: suite.clone(),
                test: test.clone(),
                metric: filter.metric.clone(),
                metric_key: key.clone(),
                better,
                model: models[&line.model].clone(),
                environment: environments[&line.environment].clone(),
                scores,
                points: points.collect(),
            });
        }
        // The line that the latest run is on first, where a test has several.
        let latest = |series: &Series| series.points.last().map(|point| point.run.clone());
        series.sort_by(|a, b| {
            let by_name = |s: &Series| (s.model.clone(), s.environment.clone(), s.suite.clone(), s.test.clone());
            by_name(a).cmp(&by_name(b)).then_with(|| latest(b).cmp(&latest(a)))
        });
        Ok(series)
    }

    /// The names of all metrics.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn metric_names(&self) -> Result<Vec<String>, HistoryError> {
        self.rows("SELECT DISTINCT name FROM metric ORDER BY name", params![], |row| row.get(0))
    }

    /// Key and direction of everything that was ever called `name`.
    fn metrics(&self, name: &str) -> Result<HashMap<i64, (String, &'static str)>, HistoryError> {
        let found = self.rows("SELECT id, key, direction FROM metric WHERE name = ?", params![name], |row| {
            Ok((row.get(0)?, (row.get(1)?, better(row.get(2)?))))
        })?;
        if found.is_empty() {
            return Err(HistoryError::NoMetric { name: name.to_owned(), known: self.metric_names()? });
        }
        Ok(found.into_iter().collect())
    }

    pub(super) fn named(&self, table: &str) -> Result<HashMap<i64, String>, HistoryError> {
        let rows =
            self.rows(&format!("SELECT id, name FROM {table}"), params![], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.into_iter().collect())
    }

    /// Every run as a point that has no score yet.
    fn points(&self) -> Result<HashMap<i64, Point>, HistoryError> {
        let rows = self.rows("SELECT id, name, started, checkout, label FROM run", params![], |row| {
            let point = Point {
                run: row.get(1)?,
                started: row.get(2)?,
                commit: row.get(3)?,
                label: row.get(4)?,
                verdict: String::new(),
                mean: 0.0,
                least: 0.0,
                most: 0.0,
            };
            Ok((row.get(0)?, point))
        })?;
        Ok(rows.into_iter().collect())
    }

    fn summaries(&self, metric: i64, add: &mut impl FnMut(i64, i64, i64, Mean)) -> Result<(), HistoryError> {
        let rows = self.rows(
            "SELECT test, run, samples, images, mean, least, most FROM summary WHERE metric = ?",
            params![metric],
            |row| {
                let images = row.get::<_, i64>(3)? as usize;
                let mean = Mean { run: row.get(1)?, images, mean: row.get(4)?, least: row.get(5)?, most: row.get(6)? };
                Ok((row.get(0)?, row.get(2)?, mean))
            },
        )?;
        rows.into_iter().for_each(|(test, samples, mean)| add(metric, test, samples, mean));
        Ok(())
    }

    /// Means over the cases that match, from the scores themselves.
    fn means_of_cases(
        &self,
        metric: i64,
        expression: &Expression,
        add: &mut impl FnMut(i64, i64, i64, Mean),
    ) -> Result<(), HistoryError> {
        let samples = self.rows("SELECT id, test, name FROM sample", params![], |row| {
            Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get::<_, String>(2)?))
        })?;
        let matching: HashMap<i64, i64> =
            samples.into_iter().filter(|(.., name)| expression.matches(name)).map(|(id, test, _)| (id, test)).collect();
        let wanted: Vec<String> = matching.keys().map(i64::to_string).collect();
        // Each run keeps its scores together, sorted by sample: they are looked up there, and no others are read.
        let mut groups: BTreeMap<(i64, i64), Vec<(i64, f64)>> = BTreeMap::new();
        self.rows(
            "SELECT s.run, s.sample, s.value FROM (SELECT DISTINCT run FROM summary WHERE metric = ?1) r
             CROSS JOIN score s ON s.run = r.run AND s.sample IN (SELECT value FROM json_each(?2)) AND s.metric = ?1",
            params![metric, format!("[{}]", wanted.join(","))],
            |row| {
                let sample = row.get(1)?;
                if let Some(test) = matching.get(&sample) {
                    groups.entry((row.get(0)?, *test)).or_default().push((sample, row.get(2)?));
                }
                Ok(())
            },
        )?;
        // Lines are over the same images: sets of samples get a number as they come.
        let mut sets: HashMap<Vec<i64>, i64> = HashMap::new();
        for ((run, test), mut scores) in groups {
            scores.sort_unstable_by_key(|(sample, _)| *sample);
            let (samples, values): (Vec<i64>, Vec<f64>) = scores.into_iter().unzip();
            let next = sets.len() as i64;
            let set = *sets.entry(samples).or_insert(next);
            let of = |statistic: Statistic| statistic.of(&values).unwrap_or_default();
            let (mean, least, most) = (of(Statistic::Mean), of(Statistic::Min), of(Statistic::Max));
            add(metric, test, set, Mean { run, images: values.len(), mean, least, most });
        }
        Ok(())
    }

    /// What series there could be: names of suites, tests, models and environments.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn known(&self, table: Known) -> Result<Vec<String>, HistoryError> {
        let table = match table {
            Known::Suite => "suite",
            Known::Test => "test",
            Known::Model => "model",
            Known::Environment => "environment",
        };
        let names: HashSet<String> = self.named(table)?.into_values().filter(|name| !name.is_empty()).collect();
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_unstable();
        Ok(names)
    }
}

/// What is known by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Suites.
    Suite,
    /// Tests.
    Test,
    /// Models.
    Model,
    /// Environments.
    Environment,
}

/// Which way is better, in a word.
pub(super) fn better(direction: i64) -> &'static str {
    match direction {
        1 => "higher",
        -1 => "lower",
        _ => "neither",
    }
}
