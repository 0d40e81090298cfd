//! Reading a component's `config.json` so that nothing in it is overlooked.
//!
//! A config names a network; a key that is skipped over may change its maths and give plausible wrong images. So each key
//! is taken, pinned to the values that are implemented, or declared to be without effect, and whatever is left at the
//! end is refused by name. Keys that begin with `_` are bookkeeping, and a left-over `null` or `false` asks for nothing.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The largest size of anything: no network has a layer a hundredth as wide, and products of a few of them still fit into 64 bits.
pub const MOST: usize = 1 << 24;
/// The most layers of one kind in a row.
pub const MOST_LAYERS: usize = 1000;
/// The most resolutions of a network: each halves the one before.
const MOST_BLOCKS: usize = 16;

/// A JSON object being taken apart.
#[derive(Debug)]
pub struct ConfigReader {
    path: PathBuf,
    /// Dotted path of this object inside the file, with its dot.
    prefix: String,
    left: Map<String, Value>,
}

impl ConfigReader {
    /// Reads `path`.
    ///
    /// # Errors
    /// The file cannot be read, or is not a JSON object.
    pub fn open(path: &Path) -> Result<Self> {
        let text = crate::files::read(path).map_err(Error::io(path))?;
        Self::parse(path, &text)
    }

    /// Takes apart `text`; `path` is what messages call it.
    ///
    /// # Errors
    /// The text is not a JSON object.
    pub fn parse(path: &Path, text: &[u8]) -> Result<Self> {
        let detail = match serde_json::from_slice(text) {
            Ok(Value::Object(left)) => return Ok(Self { path: path.to_path_buf(), prefix: String::new(), left }),
            Ok(_) => "it holds another kind of value".to_owned(),
            Err(error) => error.to_string(),
        };
        Err(Error::Json { path: path.to_path_buf(), detail })
    }

    /// The file being read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes `key`; `default` stands in for an absent or null value.
    ///
    /// # Errors
    /// The value has another type.
    pub fn take<T: DeserializeOwned>(&mut self, key: &str, expected: &str, default: T) -> Result<T> {
        Ok(self.take_optional(key, expected)?.unwrap_or(default))
    }

    /// Takes `key`, which must be there.
    ///
    /// # Errors
    /// The value is absent, null, or has another type.
    pub fn require<T: DeserializeOwned>(&mut self, key: &str, expected: &str) -> Result<T> {
        self.take_optional(key, expected)?.ok_or_else(|| self.wrong(key, expected, None))
    }

    /// Takes `key` where null and absence mean "none".
    ///
    /// # Errors
    /// The value has another type.
    pub fn take_optional<T: DeserializeOwned>(&mut self, key: &str, expected: &str) -> Result<Option<T>> {
        match self.left.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                serde_json::from_value(value.clone()).map(Some).map_err(|_| self.wrong(key, expected, Some(&value)))
            }
        }
    }

    /// Takes a size: an integer of at least 1 and at most [`MOST`].
    ///
    /// # Errors
    /// The value is no such integer, or absent without a default.
    pub fn size(&mut self, key: &str, default: impl Into<Option<usize>>) -> Result<usize> {
        self.up_to(key, MOST, default)
    }

    /// Takes a number of layers: an integer of at least 1 and at most [`MOST_LAYERS`]. Graphs are built layer by layer, so a number
    /// without a bound could be one that is never done.
    ///
    /// # Errors
    /// The value is no such integer, or absent without a default.
    pub fn layers(&mut self, key: &str, default: impl Into<Option<usize>>) -> Result<usize> {
        self.up_to(key, MOST_LAYERS, default)
    }

    fn up_to(&mut self, key: &str, most: usize, default: impl Into<Option<usize>>) -> Result<usize> {
        const EXPECTED: &str = "a positive integer";
        let found = self.take_optional::<usize>(key, EXPECTED)?;
        match found.or(default.into()) {
            Some(0) => Err(self.wrong(key, EXPECTED, Some(&Value::from(0)))),
            Some(size) if size > most => Err(self.wrong(key, &at_most(EXPECTED, most), Some(&Value::from(size)))),
            Some(size) => Ok(size),
            None => Err(self.wrong(key, EXPECTED, None)),
        }
    }

    /// Takes `block_out_channels`: the channels of each resolution, multiples of `groups`.
    ///
    /// # Errors
    /// No such list, none or too many of them, or sizes above [`MOST`].
    pub fn channels(&mut self, groups: usize, default: Vec<usize>) -> Result<Vec<usize>> {
        const KEY: &str = "block_out_channels";
        let channels: Vec<usize> = self.take(KEY, "a list of sizes", default)?;
        let found = || Value::from(channels.clone());
        if channels.is_empty() || channels.iter().any(|&channels| channels == 0 || channels % groups != 0) {
            let expected = format!("a list of multiples of norm_num_groups {groups}");
            return Err(self.wrong(KEY, &expected, Some(&found())));
        }
        if channels.len() > MOST_BLOCKS || channels.iter().any(|&channels| channels > MOST) {
            let expected = format!("a list of at most {MOST_BLOCKS} sizes of at most {MOST}");
            return Err(self.wrong(KEY, &expected, Some(&found())));
        }
        Ok(channels)
    }

    /// Takes numbers of at most `most`, given once for all `count` blocks, or once for each.
    ///
    /// # Errors
    /// As [`ConfigReader::per_block`], or a number is larger.
    pub fn numbers(&mut self, key: &str, count: usize, most: usize, default: usize) -> Result<Vec<usize>> {
        let numbers = self.per_block(key, count, default)?;
        match numbers.iter().find(|number| **number > most) {
            Some(&number) => {
                Err(self.wrong(key, &at_most("one number, or one for each block,", most), Some(&number.into())))
            }
            None => Ok(numbers),
        }
    }

    /// Takes a value that is given once for all `count` blocks, or once for each.
    ///
    /// # Errors
    /// The value is neither, or the list has another length.
    pub fn per_block<T: DeserializeOwned + Clone>(&mut self, key: &str, count: usize, default: T) -> Result<Vec<T>> {
        let expected = || format!("one value, or a list of {count} (one for each block)");
        let Some(value) = self.left.remove(key).filter(|value| !value.is_null()) else {
            return Ok(vec![default; count]);
        };
        let list = match &value {
            Value::Array(_) => serde_json::from_value::<Vec<T>>(value.clone()).ok(),
            _ => serde_json::from_value::<T>(value.clone()).ok().map(|one| vec![one; count]),
        };
        list.filter(|list| list.len() == count).ok_or_else(|| self.wrong(key, &expected(), Some(&value)))
    }

    /// Accepts `key` only if absent or one of `implemented`.
    ///
    /// # Errors
    /// It has another value.
    pub fn only(&mut self, key: &str, implemented: &[Value]) -> Result<()> {
        match self.left.remove(key) {
            Some(value) if !implemented.iter().any(|known| same(known, &value)) => {
                Err(self.unsupported(key, &value, implemented))
            }
            _ => Ok(()),
        }
    }

    /// Takes the raw value of `key`; unlike elsewhere, null and absence are told apart.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.left.remove(key)
    }

    /// The value of `key`, which stays.
    pub fn peek(&self, key: &str) -> Option<&Value> {
        self.left.get(key)
    }

    /// Declares keys to be without effect on what is computed here.
    pub fn ignore(&mut self, keys: &[&str]) {
        for key in keys {
            self.left.remove(*key);
        }
    }

    /// Takes the object under `key`; an absent one is empty.
    ///
    /// # Errors
    /// The value is not an object.
    pub fn object(&mut self, key: &str) -> Result<Self> {
        let left = self.take(key, "an object", Map::new())?;
        Ok(Self { path: self.path.clone(), prefix: format!("{}{key}.", self.prefix), left })
    }

    /// Lets the values of `other` stand above the own ones, except its nulls.
    pub fn overlay(&mut self, other: Self) {
        self.left.extend(other.left.into_iter().filter(|(_, value)| !value.is_null()));
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// A key is left that asks for something.
    pub fn finish(self) -> Result<()> {
        let asks = |(key, value): &(&String, &Value)| {
            !key.starts_with('_') && !value.is_null() && **value != Value::Bool(false)
        };
        match self.left.iter().find(asks) {
            Some((key, value)) => Err(self.unsupported(key, value, &[])),
            None => Ok(()),
        }
    }

    /// The error for a value that is understood but not implemented, as `supported` ones are.
    pub fn unsupported(&self, key: &str, value: &Value, supported: &[Value]) -> Error {
        let supported: Vec<String> = supported.iter().map(Value::to_string).collect();
        let supported =
            if supported.is_empty() { String::new() } else { format!(" (supported: {})", supported.join(", ")) };
        Error::Unsupported {
            path: self.path.clone(),
            key: format!("{}{key}", self.prefix),
            value: value.to_string(),
            supported,
        }
    }

    /// The error for a value that makes no sense.
    pub fn wrong(&self, key: &str, expected: &str, found: Option<&Value>) -> Error {
        Error::ConfigValue {
            path: self.path.clone(),
            key: format!("{}{key}", self.prefix),
            expected: expected.to_owned(),
            found: found.map_or_else(|| "nothing".to_owned(), Value::to_string),
        }
    }
}

fn at_most(expected: &str, most: usize) -> String {
    format!("{expected} of at most {most}")
}

/// Equality in which `1` and `1.0` are the same number.
fn same(a: &Value, b: &Value) -> bool {
    a == b || matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if a == b)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn reader(value: &Value) -> ConfigReader {
        ConfigReader::parse(Path::new("unet/config.json"), value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn what_is_not_implemented_is_refused_by_name_and_value() {
        let mut config = reader(&json!({"class_embed_type": "timestep", "dropout": 0}));
        config.only("dropout", &[json!(0.0)]).unwrap();
        let error = config.only("class_embed_type", &[Value::Null]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unet/config.json: class_embed_type = \"timestep\" is not supported (supported: null)"
        );
    }

    #[test]
    fn left_over_keys_are_refused_unless_they_ask_for_nothing() {
        reader(&json!({"_class_name": "X", "new_key": null, "other": false})).finish().unwrap();
        let error = reader(&json!({"new_key": 3})).finish().unwrap_err();
        assert_eq!(error.to_string(), "unet/config.json: new_key = 3 is not supported");
    }

    #[test]
    fn numbers_that_no_network_has_are_refused() {
        let huge = 1u64 << 62;
        let mut config = reader(&json!({"a": huge, "b": 1001, "c": [2, huge], "block_out_channels": [huge, 8, 8]}));
        let told = |error: Error| error.to_string().replace("unet/config.json: ", "");
        assert_eq!(
            told(config.size("a", 1).unwrap_err()),
            format!("a must be a positive integer of at most 16777216, found {huge}")
        );
        assert!(told(config.layers("b", 1).unwrap_err()).contains("at most 1000, found 1001"));
        assert!(told(config.numbers("c", 2, MOST_LAYERS, 2).unwrap_err()).contains("of at most 1000, found 46116"));
        assert!(told(config.channels(2, vec![64]).unwrap_err()).contains("at most 16 sizes of at most 16777216"));
        let long = json!({"block_out_channels": vec![8; 17]});
        assert!(told(reader(&long).channels(2, vec![64]).unwrap_err()).contains("at most 16 sizes"));
    }

    #[test]
    fn values_are_given_once_or_for_each_block() {
        let mut config = reader(&json!({"a": 8, "b": [5, 10], "c": [1], "d": 0}));
        assert_eq!(config.per_block("a", 2, 1usize).unwrap(), [8, 8]);
        assert_eq!(config.per_block("b", 2, 1usize).unwrap(), [5, 10]);
        assert_eq!(config.per_block("absent", 2, 1usize).unwrap(), [1, 1]);
        assert!(config.per_block("c", 2, 1usize).unwrap_err().to_string().contains("a list of 2"));
        assert!(config.size("d", 1).unwrap_err().to_string().contains("positive integer"));
    }
}
