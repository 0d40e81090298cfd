//! From a template to a sequence of different prompts, by number or by chance.

use std::collections::BTreeSet;

use difftest_sdk::{Error, Prompt};

use crate::draft::Draft;
use crate::lists::Lists;
use crate::parse::{Sites, parse};
use crate::template::Template;
use crate::{Config, id};

/// Combinations that mode `all` walks through. Every page of prompts is made from the beginning, so this bounds the work.
pub const MAX_COMBINATIONS: u64 = 1_000_000;
/// Draws in a row without a new prompt after which mode `random` has seen what there is.
pub const MAX_REPEATS: u32 = 10_000;

/// The template of a config and that of its negative prompt.
#[derive(Debug)]
pub struct Both {
    text: (Template, Sites),
    negative: Option<(Template, Sites)>,
    ignore_whitespace: bool,
    seen: BTreeSet<u64>,
}

impl Both {
    /// Reads the texts of a config.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] with the text and character where one cannot be read.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let mut lists = Lists::new(&config.lists)?;
        let mut read = |source: &str, place: &str, prefix: &'static str| {
            let mut sites = Sites::new(prefix);
            Ok::<_, Error>((parse(source, place, &mut lists, &mut sites)?, sites))
        };
        let text = read(&config.template, "template", "")?;
        let negative = config.negative.as_deref().map(|source| read(source, "negative", "negative:")).transpose()?;
        lists.read_all()?;
        Ok(Self { text, negative, ignore_whitespace: config.ignore_whitespace, seen: BTreeSet::new() })
    }

    /// The prompt, if it has a text and was not there before.
    fn prompt(&mut self, text: Draft, negative: Option<Draft>) -> Option<Prompt> {
        let squeeze = |text: String| {
            if self.ignore_whitespace { text.split_whitespace().collect::<Vec<_>>().join(" ") } else { text }
        };
        let words = squeeze(text.text);
        let negative_words = negative.as_ref().map(|negative| squeeze(negative.text.clone()));
        if words.trim().is_empty() || !self.seen.insert(id::hash(&words, negative_words.as_deref())) {
            return None;
        }
        let mut prompt = Prompt::new(&words).id(id::id(&words, negative_words.as_deref()));
        if let Some(negative) = negative_words {
            prompt = prompt.negative(negative);
        }
        let named = |taken: Vec<(usize, String)>, names: &[String]| {
            taken.into_iter().map(|(site, value)| (names[site].clone(), value)).collect::<Vec<_>>()
        };
        prompt.attributes = named(text.taken, &self.text.1.names);
        if let (Some(draft), Some((_, sites))) = (negative, &self.negative) {
            prompt.attributes.extend(named(draft.taken, &sites.names));
        }
        // the host takes 64, and a template and its negative may have 64 each
        prompt.attributes.truncate(64);
        Some(prompt)
    }
}

/// Every combination in order, the negative prompt's changing fastest.
#[derive(Debug)]
pub struct Numbered {
    both: Both,
    next: u64,
    total: u64,
}

impl Numbered {
    /// From the first one.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for more than [`MAX_COMBINATIONS`].
    pub fn new(both: Both) -> Result<Self, Error> {
        let of = |template: &Template| template.size().combinations;
        let total = of(&both.text.0).saturating_mul(both.negative.as_ref().map_or(1, |(template, _)| of(template)));
        if total > MAX_COMBINATIONS {
            let count = if total == u64::MAX { "more than 10^19".to_owned() } else { total.to_string() };
            return Err(Error::invalid_config(format_args!(
                "the template stands for {count} combinations, and {MAX_COMBINATIONS} is the most with `mode = \"all\"`; \
                 shorten the lists, or set `mode = \"random\"`"
            )));
        }
        Ok(Self { both, next: 0, total })
    }
}

impl Iterator for Numbered {
    type Item = Prompt;

    fn next(&mut self) -> Option<Prompt> {
        while self.next < self.total {
            let index = self.next;
            self.next += 1;
            let negatives = self.both.negative.as_ref().map_or(1, |(template, _)| template.size().combinations);
            let mut text = Draft::default();
            let mut negative = self.both.negative.as_ref().map(|_| Draft::default());
            let mut whole = self.both.text.0.nth(index / negatives, &mut text);
            if let (Some((template, _)), Some(draft)) = (&self.both.negative, &mut negative) {
                whole = whole.and(template.nth(index % negatives, draft));
            }
            let prompt = whole.and_then(|()| self.both.prompt(text, negative));
            if prompt.is_some() {
                return prompt;
            }
        }
        None
    }
}

/// Different prompts in the order in which the seed draws them, until [`MAX_REPEATS`] draws give nothing new.
#[derive(Debug)]
pub struct Random {
    both: Both,
    random: difftest_sdk::Random,
}

impl Random {
    /// The sequence of this seed.
    #[must_use]
    pub fn new(both: Both, seed: u64) -> Self {
        Self { both, random: difftest_sdk::Random::new(seed) }
    }
}

impl Iterator for Random {
    type Item = Prompt;

    fn next(&mut self) -> Option<Prompt> {
        (0..MAX_REPEATS).find_map(|_| {
            let mut text = Draft::default();
            let mut negative = self.both.negative.as_ref().map(|_| Draft::default());
            let mut whole = self.both.text.0.draw(&mut self.random, &mut text);
            if let (Some((template, _)), Some(draft)) = (&self.both.negative, &mut negative) {
                whole = whole.and(template.draw(&mut self.random, draft));
            }
            whole.and_then(|()| self.both.prompt(text, negative))
        })
    }
}
