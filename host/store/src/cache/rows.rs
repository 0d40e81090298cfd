//! What is in the tables.

use difftest_core::digest::Digest;
use difftest_core::event::Verdict;
use difftest_core::key::{Generation, Inputs, Key, Scoring};
use difftest_core::metric::Score;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Cache, now};

/// A row is marked as used at most this often, in seconds: an up-to-date run should write nothing.
const USED_EVERY: i64 = 24 * 3600;

/// An image that was made before.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// Of size and pixels.
    pub image: Digest,
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Length of its file; 0 for an image that is a file of the user's.
    pub bytes: u64,
    /// What it was really made with, sorted by name.
    pub attributes: Vec<(String, String)>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// How long it took.
    pub seconds: f64,
    /// The run that made it.
    pub run: String,
}

/// A score that was computed before.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// The score.
    pub score: Score,
    /// How long it took.
    pub seconds: f64,
    /// The run that computed it.
    pub run: String,
}

/// What was last said of a case in an environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Over all inputs: equal keys, equal inputs.
    pub key: [u8; 32],
    /// Its test's verdict.
    pub verdict: Verdict,
    /// The run that said it.
    pub run: String,
    /// What its image and scores cost when they were made: what its work costs again.
    pub seconds: f64,
}

/// Many questions in one go, all answered as things stood at the first.
pub struct Look<'a>(&'a Connection, &'a Cache);

impl Cache {
    /// Asks several things.
    pub fn look<T>(&self, questions: impl FnOnce(&Look<'_>) -> T) -> T {
        let index = self.index();
        // Without a transaction each question would take and give back its own lock; without one it still answers.
        let begun = index.execute_batch("BEGIN DEFERRED").is_ok();
        let answer = questions(&Look(&index, self));
        if begun {
            let _ = index.execute_batch("COMMIT");
        }
        answer
    }

    /// Keeps what was made for `key`; the image's file is there. What was kept for it before is replaced.
    pub fn keep_generation(&self, key: &Key<Generation>, made: &Made) {
        let (attributes, warnings) = (text(&made.attributes), text(&made.warnings));
        self.write(|index| {
            let mut statement =
                index.prepare_cached("INSERT OR REPLACE INTO generation VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
            let Made { image, width, height, bytes, seconds, run, .. } = made;
            let bytes = i64::try_from(*bytes).unwrap_or(i64::MAX);
            let key = key.as_bytes();
            let attributes = seal(key, &format!("{image} {width} {height} {bytes} {warnings}"), &attributes);
            statement.execute(params![
                key,
                image.to_string(),
                width,
                height,
                bytes,
                attributes,
                warnings,
                seconds,
                run,
                now()
            ])
        });
    }

    /// Keeps a score. One that is not finite is none.
    pub fn keep_score(&self, key: &Key<Scoring>, scored: &Scored) {
        if !scored.score.value.is_finite() || scored.score.details.iter().any(|detail| !detail.value.is_finite()) {
            return;
        }
        let score = seal(key.as_bytes(), "", &text(&scored.score));
        self.write(|index| {
            let mut statement = index.prepare_cached("INSERT OR REPLACE INTO score VALUES (?, ?, ?, ?, ?)")?;
            statement.execute(params![key.as_bytes(), score, scored.seconds, scored.run, now()])
        });
    }

    /// Keeps what was said of cases, all or none; `(case, inputs, judged)`.
    pub fn keep_judged<'j>(&self, environment: &str, judged: impl IntoIterator<Item = (&'j str, &'j Inputs, Judged)>) {
        let judged: Vec<_> = judged.into_iter().collect();
        if judged.is_empty() {
            return;
        }
        self.write(|index| {
            let transaction = index.unchecked_transaction()?;
            {
                let mut statement =
                    transaction.prepare_cached("INSERT OR REPLACE INTO judged VALUES (?, ?, ?, ?, ?, ?, ?, ?)")?;
                for (case, inputs, Judged { key, verdict, run, seconds }) in judged {
                    let (inputs, verdict) = (text(inputs), text(&verdict));
                    statement.execute(params![case, environment, key, inputs, verdict, run, seconds, now()])?;
                }
            }
            transaction.commit()?;
            Ok(0)
        });
    }

    /// Marks images and scores as used, so that what is not used for long can be told.
    pub fn touch(&self, images: &[Key<Generation>], scores: &[Key<Scoring>]) {
        let stale = now().saturating_sub(USED_EVERY);
        // What is marked in the future was marked by a clock that went back since.
        let condition = "key = ? AND (used < ? OR used > ?)";
        self.write(|index| {
            let transaction = index.unchecked_transaction()?;
            let mut changed = 0;
            let all = images.iter().map(|key| ("generation", key.as_bytes()));
            let all = all.chain(scores.iter().map(|key| ("score", key.as_bytes())));
            for (table, key) in all {
                let sql = format!("UPDATE {table} SET used = ? WHERE {condition}");
                changed += transaction.prepare_cached(&sql)?.execute(params![now(), key, stale, now()])?;
            }
            transaction.commit()?;
            Ok(changed)
        });
    }

    /// Writes, or gives up writing for good and says why.
    fn write(&self, write: impl FnOnce(&Connection) -> rusqlite::Result<usize>) {
        if !self.is_writable() {
            return;
        }
        let outcome = write(&self.index());
        if let Err(error) = outcome {
            self.give_up(&format!("cannot write the index in {}: {error}", self.folder().display()));
        }
    }
}

/// Characters of the checksum that a sealed text begins with.
const SEAL: usize = 16;

/// A text that says whether it, the key and the rest of its row are as they were written: SQLite does not check what is in its pages.
fn seal(key: &[u8; 32], row: &str, content: &str) -> String {
    let mut sum = blake3::Hasher::new();
    sum.update(key).update(&(row.len() as u64).to_le_bytes()).update(row.as_bytes()).update(content.as_bytes());
    format!("{}{content}", &sum.finalize().to_hex()[..SEAL])
}

/// What was sealed; `None` where anything was changed.
fn unseal<'t>(key: &[u8; 32], row: &str, sealed: &'t str) -> Option<&'t str> {
    let (_, content) = sealed.split_at_checked(SEAL)?;
    (seal(key, row, content) == sealed).then_some(content)
}

impl Look<'_> {
    /// The image of a request with this key. Its file may be gone: [`Cache::has_image`].
    #[must_use]
    pub fn generation(&self, key: &Key<Generation>) -> Option<Made> {
        let sql =
            "SELECT image, width, height, bytes, attributes, warnings, seconds, run FROM generation WHERE key = ?";
        let row = self.row(sql, [key.as_bytes()], |row| {
            let image: String = row.get(0)?;
            let bytes: i64 = row.get(3)?;
            let (attributes, warnings): (String, String) = (row.get(4)?, row.get(5)?);
            Ok((image, row.get(1)?, row.get(2)?, bytes, attributes, warnings, row.get(6)?, row.get(7)?))
        });
        let (image, width, height, bytes, attributes, warnings, seconds, run) = row?;
        let others = format!("{image} {width} {height} {bytes} {warnings}");
        let attributes = unseal(key.as_bytes(), &others, &attributes)?.to_owned();
        Some(Made {
            image: image.parse().ok()?,
            width,
            height,
            bytes: u64::try_from(bytes).ok()?,
            attributes: read(&attributes)?,
            warnings: read(&warnings)?,
            seconds,
            run,
        })
    }

    /// The score with this key.
    #[must_use]
    pub fn score(&self, key: &Key<Scoring>) -> Option<Scored> {
        let sql = "SELECT score, seconds, run FROM score WHERE key = ?";
        let row = self.row(sql, [key.as_bytes()], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)));
        let (score, seconds, run) = row?;
        let score: Score = read(unseal(key.as_bytes(), "", &score)?)?;
        score.value.is_finite().then_some(Scored { score, seconds, run })
    }

    /// The keys of all images that are known, for whoever carries them elsewhere.
    #[must_use]
    pub fn all_generations(&self) -> Vec<Key<Generation>> {
        self.keys("SELECT key FROM generation ORDER BY key")
    }

    /// The keys of all scores.
    #[must_use]
    pub fn all_scores(&self) -> Vec<Key<Scoring>> {
        self.keys("SELECT key FROM score ORDER BY key")
    }

    /// All keys of a table; what cannot be read is not there.
    fn keys<K>(&self, sql: &str) -> Vec<Key<K>> {
        let read = || -> rusqlite::Result<Vec<Key<K>>> {
            let mut statement = self.0.prepare_cached(sql)?;
            let keys = statement.query_map([], |row| row.get::<_, [u8; 32]>(0).map(Key::from_bytes))?;
            keys.collect()
        };
        read().unwrap_or_else(|error| {
            self.1.give_up(&format!("cannot read the index in {}: {error}", self.1.folder().display()));
            Vec::new()
        })
    }

    /// What was last said of a case.
    #[must_use]
    pub fn judged(&self, case: &str, environment: &str) -> Option<Judged> {
        let sql = "SELECT inputs_key, verdict, run, seconds FROM judged WHERE case_id = ? AND environment = ?";
        let row = self.row(sql, [case, environment], |row| {
            Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get(3)?))
        });
        let (key, verdict, run, seconds) = row?;
        Some(Judged { key, verdict: read(&verdict)?, run, seconds })
    }

    /// The inputs that a case had when it was last judged.
    #[must_use]
    pub fn judged_inputs(&self, case: &str, environment: &str) -> Option<Inputs> {
        let sql = "SELECT inputs FROM judged WHERE case_id = ? AND environment = ?";
        let row = self.row(sql, [case, environment], |row| row.get::<_, String>(0));
        read(&row?)
    }

    /// One row, or none: an index that cannot be read has nothing.
    fn row<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Option<T> {
        let found = self.0.prepare_cached(sql).and_then(|mut statement| statement.query_row(params, read).optional());
        match found {
            Ok(found) => found,
            Err(error) => {
                self.1.give_up(&format!("cannot read the index in {}: {error}", self.1.folder().display()));
                None
            }
        }
    }
}

fn text(value: &impl Serialize) -> String {
    // Strings and numbers can always be written.
    serde_json::to_string(value).unwrap_or_default()
}

fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}
