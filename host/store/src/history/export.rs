//! Every score, a row each, for other programs.

use std::io::Write;

use rusqlite::params;
use serde::Serialize;

use super::{History, HistoryError};

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON object in each line.
    JsonLines,
    /// RFC 4180, with a line of names first.
    Csv,
}

const COLUMNS: [&str; 16] = [
    "run",
    "started",
    "label",
    "commit",
    "suite",
    "test",
    "case",
    "prompt",
    "seed",
    "model",
    "environment",
    "metric",
    "metric_key",
    "value",
    "cached",
    "image",
];

/// A score with all that says what it is of. A score over a whole set has no case, prompt, seed and image.
#[derive(Debug, Serialize)]
struct Exported {
    run: String,
    started: String,
    label: Option<String>,
    commit: Option<String>,
    suite: String,
    test: String,
    case: Option<String>,
    prompt: Option<String>,
    seed: Option<u64>,
    model: String,
    environment: String,
    metric: String,
    metric_key: String,
    value: f64,
    cached: Option<bool>,
    image: Option<String>,
}

const SCORES: &str = "
    SELECT r.name, r.started, r.label, r.checkout, su.name, t.name, c.name, p.text, c.seed, mo.name, e.name, m.name, m.key, s.value,
           s.cached, lower(hex(i.digest))
    FROM score s JOIN run r ON r.id = s.run JOIN sample c ON c.id = s.sample JOIN prompt p ON p.id = c.prompt JOIN test t ON t.id = c.test
    JOIN suite su ON su.id = t.suite JOIN run_suite rs ON rs.run = s.run AND rs.suite = su.id JOIN model mo ON mo.id = rs.model
    JOIN environment e ON e.id = rs.environment JOIN metric m ON m.id = s.metric
    LEFT JOIN execution x ON x.run = s.run AND x.sample = s.sample LEFT JOIN image i ON i.id = x.image
    WHERE s.run = (SELECT id FROM run WHERE name = ?)
    UNION ALL
    SELECT r.name, r.started, r.label, r.checkout, su.name, t.name, NULL, NULL, NULL, mo.name, e.name, m.name, m.key, s.mean, NULL, NULL
    FROM summary s JOIN run r ON r.id = s.run JOIN test t ON t.id = s.test JOIN suite su ON su.id = t.suite
    JOIN run_suite rs ON rs.run = s.run AND rs.suite = su.id JOIN model mo ON mo.id = rs.model
    JOIN environment e ON e.id = rs.environment JOIN metric m ON m.id = s.metric
    WHERE s.run = (SELECT id FROM run WHERE name = ?1) AND m.kind = 'set'
    ORDER BY 5, 6, 7, 8, 9, 12, 13";

impl History {
    /// Writes every score, run by run, in an order that depends on nothing but the scores.
    ///
    /// # Errors
    /// When the file cannot be read or `out` takes no more.
    pub fn export(&self, format: Format, out: &mut dyn Write) -> Result<(), HistoryError> {
        if format == Format::Csv {
            writeln!(out, "{}\r", COLUMNS.join(",")).map_err(HistoryError::Output)?;
        }
        for run in self.names()? {
            let rows = self.rows(SCORES, params![run], |row| {
                let image: Option<String> = row.get(15)?;
                Ok(Exported {
                    run: row.get(0)?,
                    started: row.get(1)?,
                    label: row.get(2)?,
                    commit: row.get(3)?,
                    suite: row.get(4)?,
                    test: row.get(5)?,
                    case: row.get(6)?,
                    prompt: row.get(7)?,
                    seed: row.get::<_, Option<i64>>(8)?.map(i64::cast_unsigned),
                    model: row.get(9)?,
                    environment: row.get(10)?,
                    metric: row.get(11)?,
                    metric_key: row.get(12)?,
                    value: row.get(13)?,
                    cached: row.get(14)?,
                    image: image.filter(|image| !image.is_empty()),
                })
            })?;
            for row in rows {
                let line = match format {
                    Format::JsonLines => serde_json::to_string(&row).unwrap_or_default() + "\n",
                    Format::Csv => row.csv(),
                };
                out.write_all(line.as_bytes()).map_err(HistoryError::Output)?;
            }
        }
        out.flush().map_err(HistoryError::Output)
    }
}

impl Exported {
    fn csv(self) -> String {
        let empty = String::new;
        let fields = [
            self.run,
            self.started,
            self.label.unwrap_or_else(empty),
            self.commit.unwrap_or_else(empty),
            self.suite,
            self.test,
            self.case.unwrap_or_else(empty),
            self.prompt.unwrap_or_else(empty),
            self.seed.map_or_else(empty, |seed| seed.to_string()),
            self.model,
            self.environment,
            self.metric,
            self.metric_key,
            self.value.to_string(),
            self.cached.map_or_else(empty, |cached| cached.to_string()),
            self.image.unwrap_or_else(empty),
        ];
        let quoted = fields.map(|field| {
            let plain = !field.contains([',', '"', '\r', '\n']);
            if plain { field } else { format!("\"{}\"", field.replace('"', "\"\"")) }
        });
        quoted.join(",") + "\r\n"
    }
}
