//! A scheduler's settings as JSON, with readers that name the key they stumble over.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::SchedulerError;

/// What a value has to be.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Flag,
    /// Any finite number.
    Number,
    /// A finite number above 0.
    Positive,
    /// Finite, or minus infinity, which Python writes as a bare `-Infinity` and [`crate::json`] reads as text.
    Bound,
    Whole(u64, u64),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of numbers.
    Numbers,
}

impl Form {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Flag => value.is_boolean(),
            Self::Number => value.as_f64().is_some_and(f64::is_finite),
            Self::Positive => value.as_f64().is_some_and(|x| x.is_finite() && x > 0.0),
            Self::Bound => value.as_f64().is_some_and(f64::is_finite) || value == "-Infinity",
            Self::Whole(least, most) => value.as_u64().is_some_and(|x| (least..=most).contains(&x)),
            Self::Choice(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Self::Numbers => value
                .as_array()
                .is_some_and(|list| (1..=100_000).contains(&list.len()) && list.iter().all(Value::is_number)),
        }
    }

    fn wanted(self) -> String {
        match self {
            Self::Flag => "true or false".to_owned(),
            Self::Number => "a finite number".to_owned(),
            Self::Positive => "a number above 0".to_owned(),
            Self::Bound => "a number or -Infinity".to_owned(),
            Self::Whole(least, most) => format!("a whole number from {least} to {most}"),
            Self::Choice(words) => words.join(", "),
            Self::Numbers => "a list of numbers".to_owned(),
        }
    }
}

/// The settings; `null` is as good as missing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// The error that names the key, what it holds and what would do.
    pub(super) fn refuse(&self, key: &str, supported: impl Into<String>) -> SchedulerError {
        let found = self.0.get(key).map_or_else(|| "missing".to_owned(), Value::to_string);
        SchedulerError::Unsupported { key: key.to_owned(), found, supported: supported.into() }
    }

    /// Fails when the key is there and holds something else.
    pub(super) fn check(&self, key: &str, form: Form) -> Result<(), SchedulerError> {
        if self.get(key).is_none_or(|value| form.fits(value)) { Ok(()) } else { Err(self.refuse(key, form.wanted())) }
    }

    pub(super) fn flag(&self, key: &str) -> Result<bool, SchedulerError> {
        self.read(key, Form::Flag, Value::as_bool)
    }

    pub(super) fn number(&self, key: &str) -> Result<f64, SchedulerError> {
        self.read(key, Form::Number, Value::as_f64)
    }

    /// `None` where the setting is not made.
    pub(super) fn optional(&self, key: &str) -> Result<Option<f64>, SchedulerError> {
        self.get(key).map(|_| self.number(key)).transpose()
    }

    pub(super) fn whole(&self, key: &str) -> Result<usize, SchedulerError> {
        self.read(key, Form::Whole(0, u64::from(u32::MAX)), |value| value.as_u64().map(|x| x as usize))
    }

    /// A whole number of a range that depends on the scheduler.
    pub(super) fn within(&self, key: &str, range: RangeInclusive<u64>) -> Result<usize, SchedulerError> {
        self.check(key, Form::Whole(*range.start(), *range.end()))?;
        self.whole(key)
    }

    /// What the word of the setting stands for; a word that is not among the choices is refused.
    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Result<T, SchedulerError> {
        let word = self.get(key).and_then(Value::as_str);
        let found = choices.iter().find(|(name, _)| Some(*name) == word).map(|(_, choice)| *choice);
        let names = || choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| self.refuse(key, names()))
    }

    fn read<T>(&self, key: &str, form: Form, read: impl Fn(&Value) -> Option<T>) -> Result<T, SchedulerError> {
        self.check(key, form)?;
        self.get(key).and_then(read).ok_or_else(|| self.refuse(key, form.wanted()))
    }
}
