//! Prompts in the syntax of dynamic prompts: `{a|b}`, `{2::a|b}`, `{2$$ and $$a|b|c}`, `__list__`; see the README.
//!
//! `config -> template -> prompts`: [`parse`] reads texts (with [`lists`], which resolves `__names__` and finds circles),
//! [`template`] is what it reads them into, with every size known and bounded. A template is walked by number ([`nth`],
//! mode `all`) or by chance ([`draw`], mode `random`); [`walk`] turns either into a sequence of different prompts, whose
//! names come from [`id`].

pub mod draft;
pub mod draw;
pub mod id;
pub mod lists;
pub mod nth;
pub mod parse;
pub mod template;
pub mod walk;

use std::collections::BTreeMap;

use walk::{Both, Numbered, Random as Drawn};

difftest_sdk::prompts! {
    /// What to write, and how to go through what it stands for.
    pub struct Config {
        /// Text with `{a|b}` choices and `__list__` names.
        pub template: String,
        /// The same for a negative prompt; it makes its own choices.
        pub negative: Option<String>,
        /// The lists by name: `lists = { color = ["red", "dark {blue|green}"] }`. Entries are templates in turn.
        #[config(default)]
        pub lists: BTreeMap<String, Vec<String>>,
        /// Which of the prompts that the template stands for.
        #[config(default)]
        pub mode: Mode,
        /// Make every run of white space one space, and drop it at both ends: for templates over several lines.
        #[config(default)]
        pub ignore_whitespace: bool,
    }

    /// Which of the prompts that a template stands for.
    #[difftest_sdk::config]
    #[derive(Clone, Copy, Default)]
    pub enum Mode {
        /// Different ones drawn by the seed, weights observed, until the test's `limit`.
        #[default]
        Random,
        /// All of them in order; weights are left out of account.
        All,
    }

    /// Prompts in the syntax of dynamic prompts: `{a|b}` choices, weights, nesting, and `__lists__` from the config.
    pub fn prompt_wildcards(config: &Config, seed: u64) -> Result<Box<dyn Iterator<Item = Prompt>>, Error> {
        let both = Both::new(config)?;
        Ok(match config.mode {
            Mode::Random => Box::new(Drawn::new(both, seed)),
            Mode::All => Box::new(Numbered::new(both)?),
        })
    }
}
