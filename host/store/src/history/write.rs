//! A record into the tables.

use std::collections::HashMap;

use difftest_core::gate::Statistic;
use rusqlite::{Connection, OptionalExtension as _, Result, Transaction, TransactionBehavior, params};

use super::record::{CaseRecord, MetricRecord, RunRecord, SuiteRecord, TestRecord, word};

/// Writes a run: all of it or, where one of its name is there already (`false`), nothing.
pub(super) fn record(connection: &mut Connection, run: &RunRecord) -> Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let new = insert(&transaction, run)?;
    transaction.commit()?;
    Ok(new)
}

/// The same inside of a transaction of the caller's.
pub(super) fn insert(transaction: &Transaction<'_>, run: &RunRecord) -> Result<bool> {
    let added = transaction.prepare_cached(
        "INSERT OR IGNORE INTO run (name, started, seconds, conclusion, difftest, checkout, label, folder) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?.execute(params![
        run.name, run.started, run.seconds, run.conclusion, run.difftest, run.checkout, run.label, run.folder
    ])?;
    if added == 0 {
        return Ok(false);
    }
    let mut writer = Writer { transaction, run: transaction.last_insert_rowid(), known: HashMap::new() };
    for suite in &run.suites {
        writer.suite(suite)?;
    }
    Ok(true)
}

struct Writer<'a> {
    transaction: &'a Transaction<'a>,
    run: i64,
    /// Numbers of metrics and prompts of this run, which occur in many of its cases.
    known: HashMap<String, i64>,
}

impl Writer<'_> {
    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<usize> {
        self.transaction.prepare_cached(sql)?.execute(values)
    }

    /// The number of the row that `find` finds, or of the one that `add` adds; both take the same values.
    fn number<P: rusqlite::Params + Copy>(&self, find: &str, add: &str, values: P) -> Result<i64> {
        let found = self.transaction.prepare_cached(find)?.query_row(values, |row| row.get(0)).optional()?;
        match found {
            Some(number) => Ok(number),
            None => {
                self.execute(add, values)?;
                Ok(self.transaction.last_insert_rowid())
            }
        }
    }

    fn suite(&mut self, record: &SuiteRecord) -> Result<()> {
        let find = |table: &str| format!("SELECT id FROM {table} WHERE name = ?");
        let add = |table: &str| format!("INSERT INTO {table} (name) VALUES (?)");
        let suite = self.number(&find("suite"), &add("suite"), (&record.name,))?;
        let environment = self.number(&find("environment"), &add("environment"), (&record.environment,))?;
        let model = self.number(&find("model"), &add("model"), (&record.model,))?;
        self.execute(
            "INSERT OR IGNORE INTO run_suite (run, suite, environment, model, digest, error) VALUES (?, ?, ?, ?, ?, ?)",
            params![self.run, suite, environment, model, record.digest, record.error],
        )?;
        (0..record.tests.len()).try_for_each(|index| self.test(suite, record, index))
    }

    fn test(&mut self, suite: i64, of: &SuiteRecord, index: usize) -> Result<()> {
        let record = &of.tests[index];
        let cases = of.cases.iter().filter(|case| case.test == index);
        let test = self.number(
            "SELECT id FROM test WHERE suite = ? AND name = ?",
            "INSERT INTO test (suite, name) VALUES (?, ?)",
            (suite, &record.name),
        )?;
        let setup = self.number(
            "SELECT id FROM setup WHERE digest = ?",
            "INSERT INTO setup (digest) VALUES (?)",
            (&record.setup[..],),
        )?;
        self.execute(
            "INSERT OR IGNORE INTO run_test (run, test, setup, verdict, baseline) VALUES (?, ?, ?, ?, ?)",
            params![self.run, test, setup, word(&record.verdict), of.compared_with(index)],
        )?;
        self.gates(test, record)?;
        let metrics = record.metrics.iter().map(|metric| self.metric(metric)).collect::<Result<Vec<i64>>>()?;
        let mut scores: Vec<Summed> = metrics.iter().map(|_| Summed::default()).collect();
        let mut all = blake3::Hasher::new();
        for case in cases.filter(|case| case.executed) {
            let (sample, digest) = self.sample(test, case)?;
            all.update(&digest);
            let image = case.image.map(|image| self.image(&image.to_string())).transpose()?;
            self.execute(
                "INSERT OR IGNORE INTO execution (run, sample, image, cached, seconds) VALUES (?, ?, ?, ?, ?)",
                params![self.run, sample, image, case.cached, case.seconds],
            )?;
            for (metric, value, cached) in &case.scores {
                let (Some(number), Some(sum)) = (metrics.get(*metric), scores.get_mut(*metric)) else { continue };
                sum.add(*value, &digest);
                self.execute(
                    "INSERT OR IGNORE INTO score (run, sample, metric, value, cached) VALUES (?, ?, ?, ?, ?)",
                    params![self.run, sample, number, value, cached],
                )?;
            }
        }
        for (metric, value) in &record.set_scores {
            scores[*metric] = Summed { values: vec![*value], samples: all.clone() };
        }
        for (metric, sum) in metrics.into_iter().zip(scores) {
            let statistic = |statistic: Statistic| statistic.of(&sum.values);
            if let (Some(mean), least, most) =
                (statistic(Statistic::Mean), statistic(Statistic::Min), statistic(Statistic::Max))
            {
                self.execute(
                    "INSERT OR IGNORE INTO summary (metric, test, run, samples, images, mean, least, most) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    params![metric, test, self.run, sum.name(), sum.values.len() as i64, mean, least, most],
                )?;
            }
        }
        Ok(())
    }

    fn gates(&self, test: i64, record: &TestRecord) -> Result<()> {
        for (place, gate) in record.gates.iter().enumerate() {
            self.execute(
                "INSERT OR IGNORE INTO gate (run, test, place, metric, statistic, rule, min, max, value, holds, decision) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    self.run,
                    test,
                    place as i64,
                    gate.metric,
                    gate.of.to_string(),
                    word(&gate.rule),
                    gate.bound.min,
                    gate.bound.max,
                    gate.value,
                    gate.holds,
                    gate.decision().map(|decision| word(&decision)),
                ],
            )?;
        }
        Ok(())
    }

    fn metric(&mut self, metric: &MetricRecord) -> Result<i64> {
        let name = format!("metric {} {}", metric.name, metric.key);
        if let Some(number) = self.known.get(&name) {
            return Ok(*number);
        }
        self.execute(
            "INSERT OR IGNORE INTO metric (name, key, direction, kind) VALUES (?, ?, ?, ?)",
            params![metric.name, metric.key, metric.direction, metric.kind],
        )?;
        let mut find = self.transaction.prepare_cached("SELECT id FROM metric WHERE name = ? AND key = ?")?;
        let number = find.query_row((&metric.name, &metric.key), |row| row.get(0))?;
        self.known.insert(name, number);
        Ok(number)
    }

    /// The number of a case's prompt and seed, and a digest of what they are.
    fn sample(&mut self, test: i64, case: &CaseRecord) -> Result<(i64, [u8; 16])> {
        let prompt_digest = digest([case.prompt.as_str(), case.negative.as_deref().unwrap_or("\0none")]);
        let known = format!("prompt {}", u128::from_le_bytes(prompt_digest));
        let prompt = match self.known.get(&known) {
            Some(prompt) => *prompt,
            None => {
                let mut find = self.transaction.prepare_cached("SELECT id FROM prompt WHERE digest = ?")?;
                let found = find.query_row((&prompt_digest[..],), |row| row.get(0)).optional()?;
                let prompt = match found {
                    Some(prompt) => prompt,
                    None => {
                        self.execute(
                            "INSERT INTO prompt (digest, text, negative) VALUES (?, ?, ?)",
                            params![&prompt_digest[..], case.prompt, case.negative],
                        )?;
                        self.transaction.last_insert_rowid()
                    }
                };
                self.known.insert(known, prompt);
                prompt
            }
        };
        let seed = case.seed.cast_signed();
        let sample = self.number(
            "SELECT id FROM sample WHERE test = ? AND name = ? AND prompt = ? AND seed = ?",
            "INSERT INTO sample (test, name, prompt, seed) VALUES (?, ?, ?, ?)",
            (test, &case.id, prompt, seed),
        )?;
        let seed = case.seed.to_string();
        let hex = u128::from_le_bytes(prompt_digest).to_string();
        Ok((sample, digest([case.id.as_str(), hex.as_str(), seed.as_str()])))
    }

    fn image(&self, digest: &str) -> Result<i64> {
        self.number(
            "SELECT id FROM image WHERE digest = unhex(?)",
            "INSERT INTO image (digest) VALUES (unhex(?))",
            (digest,),
        )
    }
}

/// Scores of one metric in one test, and which images they are of.
#[derive(Default)]
struct Summed {
    values: Vec<f64>,
    samples: blake3::Hasher,
}

impl Summed {
    fn add(&mut self, value: f64, sample: &[u8; 16]) {
        self.values.push(value);
        self.samples.update(sample);
    }

    /// The images' name: 63 bits, which SQLite keeps as a number.
    fn name(&self) -> i64 {
        let digest = self.samples.finalize();
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&digest.as_bytes()[..8]);
        i64::from_le_bytes(bytes) & i64::MAX
    }
}

fn digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    bytes
}
