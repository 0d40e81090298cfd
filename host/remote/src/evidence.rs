//! What runs computed, shared: images under generation keys, scores under scoring keys.
//!
//! A key tells everything that its image or score depends on, so a record is written once and is true for ever: whoever has the same
//! key would have got the same. Where another machine got something else for the same key, the first stays, and the push says so.
//!
//! A poisoned cache cannot be told from a change of the model, so who may write decides what it is worth: see the README.

use difftest_core::digest::Digest;
use difftest_core::key::{Generation, Key, Scoring};
use difftest_core::metric::Score;
use difftest_store::cache::{Cache, Made, Scored};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Progress;
use crate::blob::BlobId;
use crate::error::Error;
use crate::store::{Put, Remote, TOGETHER};

/// Reads the digest of size and pixels out of a PNG file; none where it is not one.
pub type Pixels<'a> = &'a dyn Fn(&[u8]) -> Option<Digest>;

/// `ac/generation/AA/KEY.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct GenerationRecord {
    key: String,
    /// Of size and pixels.
    image: Digest,
    /// The file.
    png: BlobId,
    bytes: u64,
    width: u32,
    height: u32,
    attributes: Vec<(String, String)>,
    warnings: Vec<String>,
    seconds: f64,
    run: String,
}

/// `ac/score/AA/KEY.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ScoreRecord {
    key: String,
    score: Score,
    seconds: f64,
    run: String,
}

/// Of images and of scores.
pub type Keys = (Vec<Key<Generation>>, Vec<Key<Scoring>>);

/// What went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Records that were not there.
    pub made: usize,
    /// Records that were.
    pub there: usize,
    /// Keys under which there is something else, which stays.
    pub different: Vec<String>,
}

fn record_key(sort: &str, key: &str) -> String {
    format!("ac/{sort}/{}/{key}.json", key.get(..2).unwrap_or("00"))
}

/// The keys among the names of a listing.
fn keys<K>(names: &[String]) -> Vec<Key<K>> {
    let key = |name: &String| {
        let hex = name.rsplit('/').next()?.strip_suffix(".json")?;
        Some(Key::from_bytes(*blake3::Hash::from_hex(hex).ok()?.as_bytes()))
    };
    names.iter().filter_map(key).collect()
}

impl Remote {
    /// The keys of everything there is.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn evidence(&self) -> Result<Keys, Error> {
        Ok((keys(&self.list("ac/generation/")?), keys(&self.list("ac/score/")?)))
    }

    /// Brings the images of these keys into the cache, where the remote has them. The answer has those it has.
    ///
    /// # Errors
    /// See [`Error`]; what came before it is kept.
    pub fn pull_images(
        &self,
        cache: &Cache,
        wanted: &[Key<Generation>],
        pixels: Pixels<'_>,
        progress: Progress<'_>,
    ) -> Result<Vec<Key<Generation>>, Error> {
        self.runtime.block_on(async {
            let mut gets = futures_util::stream::iter(wanted)
                .map(|key| async move {
                    let name = record_key("generation", &key.to_string());
                    let Some(record) = self.document::<GenerationRecord>(&name).await? else { return Ok(None) };
                    self.same_key(&name, &record.key, &key.to_string())?;
                    let png = match cache.has_image(&record.image, record.bytes) {
                        true => None,
                        false => Some(self.get_blob(record.png).await?),
                    };
                    Ok::<_, Error>(Some((*key, name, record, png)))
                })
                .buffer_unordered(TOGETHER);
            let (mut found, mut done) = (Vec::new(), 0);
            while let Some(answer) = gets.try_next().await? {
                done += 1;
                progress(done, wanted.len() as u64);
                let Some((key, name, record, png)) = answer else { continue };
                let bytes = match png {
                    Some(png) if pixels(&png) != Some(record.image) => {
                        return Err(self.corrupt(&name, "names an image that has other pixels"));
                    }
                    Some(png) => {
                        if cache.keep_image(&record.image, &png).is_none() {
                            continue;
                        }
                        png.len() as u64
                    }
                    None => record.bytes,
                };
                let GenerationRecord { image, width, height, attributes, warnings, seconds, run, .. } = record;
                cache.keep_generation(&key, &Made { image, width, height, bytes, attributes, warnings, seconds, run });
                found.push(key);
            }
            Ok(found)
        })
    }

    /// Brings the scores of these keys into the cache, where the remote has them.
    ///
    /// # Errors
    /// See [`Error`]; what came before it is kept.
    pub fn pull_scores(
        &self,
        cache: &Cache,
        wanted: &[Key<Scoring>],
        progress: Progress<'_>,
    ) -> Result<Vec<Key<Scoring>>, Error> {
        self.runtime.block_on(async {
            let mut gets = futures_util::stream::iter(wanted)
                .map(|key| async move {
                    let name = record_key("score", &key.to_string());
                    let Some(record) = self.document::<ScoreRecord>(&name).await? else { return Ok(None) };
                    self.same_key(&name, &record.key, &key.to_string())?;
                    Ok::<_, Error>(Some((*key, record)))
                })
                .buffer_unordered(TOGETHER);
            let (mut found, mut done) = (Vec::new(), 0);
            while let Some(answer) = gets.try_next().await? {
                done += 1;
                progress(done, wanted.len() as u64);
                if let Some((key, ScoreRecord { score, seconds, run, .. })) = answer {
                    cache.keep_score(&key, &Scored { score, seconds, run });
                    found.push(key);
                }
            }
            Ok(found)
        })
    }

    /// Puts what the cache has under these keys, images before what points to them. Keys of which it has nothing are left out.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn push_evidence(
        &self,
        cache: &Cache,
        images: &[Key<Generation>],
        scores: &[Key<Scoring>],
        pixels: Pixels<'_>,
        progress: Progress<'_>,
    ) -> Result<Pushed, Error> {
        let total = (images.len() + scores.len()) as u64;
        self.runtime.block_on(async {
            let mut pushed = Pushed::default();
            let mut done = 0;
            let mut count = |key: String, outcome: Outcome| {
                match outcome {
                    Outcome::Nothing => {}
                    Outcome::Made => pushed.made += 1,
                    Outcome::There => pushed.there += 1,
                    Outcome::Different => pushed.different.push(key),
                }
                done += 1;
                progress(done, total);
            };
            let mut puts = futures_util::stream::iter(images)
                .map(|key| async move { Ok::<_, Error>((key.to_string(), self.push_image(cache, key, pixels).await?)) })
                .buffer_unordered(TOGETHER);
            while let Some((key, outcome)) = puts.try_next().await? {
                count(key, outcome);
            }
            let mut puts = futures_util::stream::iter(scores)
                .map(|key| async move { Ok::<_, Error>((key.to_string(), self.push_score(cache, key).await?)) })
                .buffer_unordered(TOGETHER);
            while let Some((key, outcome)) = puts.try_next().await? {
                count(key, outcome);
            }
            Ok(pushed)
        })
    }

    async fn push_image(&self, cache: &Cache, key: &Key<Generation>, pixels: Pixels<'_>) -> Result<Outcome, Error> {
        let Some(made) = cache.look(|look| look.generation(key)) else { return Ok(Outcome::Nothing) };
        let Made { image, width, height, attributes, warnings, seconds, run, .. } = made;
        // an image of the user's own is not in the cache; one that is damaged must not spread
        let Ok(png) = std::fs::read(cache.image_path(&image)) else { return Ok(Outcome::Nothing) };
        if pixels(&png) != Some(image) {
            return Ok(Outcome::Nothing);
        }
        let bytes = png.len() as u64;
        let (png, _) = self.put_blob(png).await?;
        let key = key.to_string();
        let name = record_key("generation", &key);
        let record = GenerationRecord { key, image, png, bytes, width, height, attributes, warnings, seconds, run };
        self.put_record(&name, &record, |there: &GenerationRecord| there.image == image).await
    }

    async fn push_score(&self, cache: &Cache, key: &Key<Scoring>) -> Result<Outcome, Error> {
        let Some(Scored { score, seconds, run }) = cache.look(|look| look.score(key)) else {
            return Ok(Outcome::Nothing);
        };
        let value = score.value.to_bits();
        let key = key.to_string();
        let name = record_key("score", &key);
        let record = ScoreRecord { key, score, seconds, run };
        self.put_record(&name, &record, |there: &ScoreRecord| there.score.value.to_bits() == value).await
    }

    /// Puts a record, or reads the one that is there and compares.
    async fn put_record<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        record: &T,
        same: impl Fn(&T) -> bool,
    ) -> Result<Outcome, Error> {
        if self.put_new(name, self.sealed(name, record)?).await? == Put::Made {
            return Ok(Outcome::Made);
        }
        match self.document::<T>(name).await? {
            Some(there) if same(&there) => Ok(Outcome::There),
            Some(_) => Ok(Outcome::Different),
            None => Err(self.missing(name)),
        }
    }

    fn same_key(&self, name: &str, said: &str, wanted: &str) -> Result<(), Error> {
        if said == wanted { Ok(()) } else { Err(self.corrupt(name, format!("says that it is of {said}"))) }
    }
}

/// What became of a record.
enum Outcome {
    /// The cache has none.
    Nothing,
    Made,
    There,
    Different,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::unwatched;

    fn score(value: f64) -> Scored {
        Scored { score: Score { value, details: Vec::new(), fuel: None }, seconds: 0.5, run: "r".into() }
    }

    fn made(png: &[u8], attributes: &str) -> Made {
        let attributes = vec![("seed".into(), attributes.into())];
        let (image, bytes) = (Digest::of(png), png.len() as u64);
        Made { image, width: 1, height: 1, bytes, attributes, warnings: vec![], seconds: 1.5, run: "r".into() }
    }

    /// Here an image's pixels are its bytes.
    fn pixels(png: &[u8]) -> Option<Digest> {
        Some(Digest::of(png))
    }

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        (folder, cache)
    }

    #[test]
    fn what_one_machine_computed_another_finds() {
        let remote = Remote::memory().unwrap();
        let ((_here, here), (_there, there)) = (cache(), cache());
        let (image, value) = (Key::<Generation>::from_bytes([1; 32]), Key::<Scoring>::from_bytes([2; 32]));
        let (no_image, no_value) = (Key::<Generation>::from_bytes([3; 32]), Key::<Scoring>::from_bytes([4; 32]));
        here.keep_image(&Digest::of(b"png"), b"png").unwrap();
        here.keep_generation(&image, &made(b"png", "7"));
        here.keep_score(&value, &score(0.1 + 0.2));
        let push = |cache: &Cache| {
            remote.push_evidence(cache, &[image, no_image], &[value, no_value], &pixels, &mut unwatched).unwrap()
        };
        assert_eq!(push(&here), Pushed { made: 2, ..Pushed::default() });
        assert_eq!(push(&here), Pushed { there: 2, ..Pushed::default() });
        assert_eq!(remote.evidence().unwrap(), (vec![image], vec![value]));

        let images = remote.pull_images(&there, &[image, no_image], &pixels, &mut unwatched).unwrap();
        let scores = remote.pull_scores(&there, &[value, no_value], &mut unwatched).unwrap();
        assert_eq!((images, scores), (vec![image], vec![value]));
        assert_eq!(there.look(|look| look.generation(&image)), Some(made(b"png", "7")));
        assert_eq!(std::fs::read(there.image_path(&Digest::of(b"png"))).unwrap(), b"png");
        assert_eq!(there.look(|look| look.score(&value)).unwrap().score.value.to_bits(), (0.1_f64 + 0.2).to_bits());

        // another machine got something else: the first stays, and it is told
        there.keep_score(&value, &score(0.9));
        assert_eq!(push(&there).different, [value.to_string()]);
    }

    #[test]
    fn an_image_that_is_not_the_one_of_its_record_is_not_taken() {
        let remote = Remote::memory().unwrap();
        let ((_here, here), (_there, there)) = (cache(), cache());
        let key = Key::<Generation>::from_bytes([1; 32]);
        // a writer whose idea of pixels is wrong
        here.keep_image(&Digest::of(b"png"), b"another").unwrap();
        here.keep_generation(&key, &made(b"png", "7"));
        let sloppy = |_: &[u8]| Some(Digest::of(b"png"));
        assert_eq!(remote.push_evidence(&here, &[key], &[], &pixels, &mut unwatched).unwrap(), Pushed::default());
        assert_eq!(remote.push_evidence(&here, &[key], &[], &sloppy, &mut unwatched).unwrap().made, 1);
        let error = remote.pull_images(&there, &[key], &pixels, &mut unwatched).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        assert!(there.look(|look| look.generation(&key)).is_none());
    }
}
