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

    /// Both texts, if there is a prompt in them and it was not there before.
    fn fresh(&mut self, text: Draft, negative: Option<Draft>) -> Option<Fresh> {
        let squeeze = |mut draft: Draft| {
            if self.ignore_whitespace {
                draft.text = draft.text.split_whitespace().collect::<Vec<_>>().join(" ");
            }
            draft
        };
        let fresh = Fresh { text: squeeze(text), negative: negative.map(squeeze) };
        let hash = id::hash(&fresh.text.text, fresh.negative.as_ref().map(|negative| negative.text.as_str()));
        (!fresh.text.text.trim().is_empty() && self.seen.insert(hash)).then_some(fresh)
    }

    fn prompt(&self, Fresh { text, negative }: Fresh) -> Prompt {
        let id = id::id(&text.text, negative.as_ref().map(|negative| negative.text.as_str()));
        let mut prompt = Prompt::new(text.text).id(id);
        let mut tell = |taken: Vec<(usize, String)>, sites: &Sites| {
            prompt.attributes.extend(taken.into_iter().map(|(site, value)| (sites.names[site].clone(), value)));
        };
        tell(text.taken, &self.text.1);
        if let (Some(draft), Some((_, sites))) = (negative, &self.negative) {
            tell(draft.taken, sites);
            prompt.negative = Some(draft.text);
        }
        // the host takes 64, and a template and its negative may have 64 each
        prompt.attributes.truncate(64);
        prompt
    }
}

/// The texts of a prompt, before its id and attributes are made: what is skipped needs neither.
struct Fresh {
    text: Draft,
    negative: Option<Draft>,
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

    fn step(&mut self) -> Option<Fresh> {
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
            let fresh = whole.and_then(|()| self.both.fresh(text, negative));
            if fresh.is_some() {
                return fresh;
            }
        }
        None
    }
}

impl Iterator for Numbered {
    type Item = Prompt;

    fn next(&mut self) -> Option<Prompt> {
        self.nth(0)
    }

    fn nth(&mut self, skip: usize) -> Option<Prompt> {
        (0..skip).try_for_each(|_| self.step().map(drop))?;
        self.step().map(|fresh| self.both.prompt(fresh))
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

    fn step(&mut self) -> Option<Fresh> {
        (0..MAX_REPEATS).find_map(|_| {
            let mut text = Draft::default();
            let mut negative = self.both.negative.as_ref().map(|_| Draft::default());
            let mut whole = self.both.text.0.draw(&mut self.random, &mut text);
            if let (Some((template, _)), Some(draft)) = (&self.both.negative, &mut negative) {
                whole = whole.and(template.draw(&mut self.random, draft));
            }
            whole.and_then(|()| self.both.fresh(text, negative))
        })
    }
}

impl Iterator for Random {
    type Item = Prompt;

    fn next(&mut self) -> Option<Prompt> {
        self.nth(0)
    }

    fn nth(&mut self, skip: usize) -> Option<Prompt> {
        (0..skip).try_for_each(|_| self.step().map(drop))?;
        self.step().map(|fresh| self.both.prompt(fresh))
    }
}
