//! Templates and lists, checked and multiplied: `Config -> Matrix -> prompts`.
//!
//! A [`Matrix`] numbers its combinations and builds the one that is asked for, so a product of any size costs nothing
//! until it is walked.

use std::collections::{BTreeMap, BTreeSet};

use difftest_sdk::{Error, Prompt};

use crate::config::{Config, OneOrMany};
use crate::draw::Draws;
use crate::id::{fit, slug};
use crate::lists;
use crate::template::{Template, is_name};

/// Every combination of a config, in order: templates as listed, and within a template the last variable changes fastest.
#[derive(Clone, Debug)]
pub struct Matrix {
    blocks: Vec<Block>,
    negative: Option<Template>,
    total: u128,
}

/// One template with its variables, in order of first appearance.
#[derive(Clone, Debug)]
struct Block {
    /// Beginning of the ids, and the template's attribute; `None` when the config has one template.
    prefix: Option<String>,
    template: Template,
    variables: Vec<Variable>,
    size: u128,
}

#[derive(Clone, Debug)]
struct Variable {
    name: String,
    values: Vec<String>,
    slugs: Vec<String>,
}

impl Matrix {
    /// Checks a config.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`]: no template; a template that does not parse or occurs twice; a variable without values,
    /// with equal ones, given twice or used by no template; more than 2^127 combinations.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let (sources, many) = match &config.template {
            OneOrMany::One(source) => (std::slice::from_ref(source), false),
            OneOrMany::Many(sources) => (sources.as_slice(), true),
        };
        if sources.is_empty() {
            return Err(Error::invalid_config("`template` is an empty list; give at least one template"));
        }
        let templates = sources.iter().map(|source| Template::parse(source)).collect::<Result<Vec<_>, _>>()?;
        let negative = config.negative.as_deref().map(Template::parse).transpose()?;
        let given = given(config)?;

        let used: BTreeSet<&str> = templates.iter().chain(&negative).flat_map(Template::variables).collect();
        if let Some(name) = given.keys().find(|name| !used.contains(name.as_str())) {
            let used = if used.is_empty() { "none".into() } else { used.into_iter().collect::<Vec<_>>().join(", ") };
            return Err(Error::invalid_config(format_args!(
                "no template uses the variable `{name}`; they use: {used}"
            )));
        }

        let mut prefixes = BTreeSet::new();
        let mut blocks = Vec::new();
        for template in templates {
            let prefix = many.then(|| slug(&template.source));
            if let Some(prefix) = &prefix
                && !prefixes.insert(prefix.clone())
            {
                let source = &template.source;
                return Err(Error::invalid_config(format_args!(
                    "template `{source}` has the id of an earlier one, `{prefix}`"
                )));
            }
            let mut variables: Vec<Variable> = Vec::new();
            for name in template.variables().chain(negative.iter().flat_map(Template::variables)) {
                if !variables.iter().any(|variable| variable.name == name) {
                    variables.push(Variable::new(name, &given)?);
                }
            }
            let size =
                variables.iter().try_fold(1_u128, |size, variable| size.checked_mul(variable.values.len() as u128));
            let size = size.filter(|size| *size <= u128::MAX / 2).ok_or_else(too_many)?;
            blocks.push(Block { prefix, template, variables, size });
        }
        let total =
            blocks.iter().try_fold(0_u128, |total, block| total.checked_add(block.size)).ok_or_else(too_many)?;
        Ok(Self { blocks, negative, total })
    }

    /// How many combinations there are.
    #[must_use]
    pub fn total(&self) -> u128 {
        self.total
    }

    /// All prompts in order.
    #[must_use]
    pub fn product(self) -> Product {
        Product { matrix: self, next: 0 }
    }

    /// At most `count` different prompts, drawn uniformly by `seed`. A larger count begins with the same prompts.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for a count of 0, or more than 2^64 combinations.
    pub fn sample(self, count: u32, seed: u64) -> Result<Sample, Error> {
        if count == 0 {
            return Err(Error::invalid_config("`sample = 0` asks for no prompt; leave it out to get all combinations"));
        }
        let total = u64::try_from(self.total).map_err(|_| {
            Error::invalid_config(format_args!(
                "{} combinations are too many to sample from; 2^64 is the most",
                self.total
            ))
        })?;
        Ok(Sample { draws: Draws::new(seed, total), left: count, matrix: self })
    }

    /// Combination number `index`, below [`Matrix::total`]; `None` beyond.
    #[must_use]
    pub fn prompt(&self, mut index: u128) -> Option<Prompt> {
        for block in &self.blocks {
            if index < block.size {
                return Some(block.prompt(index, self.negative.as_ref()));
            }
            index -= block.size;
        }
        None
    }
}

impl Block {
    fn prompt(&self, mut index: u128, negative: Option<&Template>) -> Prompt {
        let mut choice = vec![0_usize; self.variables.len()];
        for (chosen, variable) in choice.iter_mut().zip(&self.variables).rev() {
            let count = variable.values.len() as u128;
            *chosen = (index % count) as usize;
            index /= count;
        }
        let chosen = || self.variables.iter().zip(&choice);
        let value = |name: &str| {
            chosen().find(|(variable, _)| variable.name == name).map_or("", |(variable, &at)| &variable.values[at])
        };

        let parts = chosen().map(|(variable, &at)| format!("{}={}", variable.name, variable.slugs[at]));
        let own = parts.collect::<Vec<_>>().join(",");
        let id = match (&self.prefix, own.as_str()) {
            (None, "") => slug(&self.template.source),
            (None, own) => own.to_owned(),
            (Some(prefix), "") => prefix.clone(),
            (Some(prefix), own) => format!("{prefix}:{own}"),
        };
        let mut prompt = Prompt::new(self.template.render(value)).id(fit(id));
        if let Some(negative) = negative {
            prompt = prompt.negative(negative.render(value));
        }
        if self.prefix.is_some() {
            prompt = prompt.attribute("template", &self.template.source);
        }
        for (variable, &at) in chosen() {
            prompt = prompt.attribute(&variable.name, &variable.values[at]);
        }
        prompt
    }
}

impl Variable {
    fn new(name: &str, given: &BTreeMap<String, Vec<String>>) -> Result<Self, Error> {
        let values = match (given.get(name), lists::built_in(name)) {
            (Some(values), _) => values.clone(),
            (None, Some(values)) => values.iter().map(|&value| value.to_owned()).collect(),
            (None, None) => {
                return Err(Error::invalid_config(format_args!(
                    "the template uses `{{{name}}}`, which has no values; give `{name} = [\"...\"]` beside `template` \
                     (built-in lists: {})",
                    lists::names()
                )));
            }
        };
        if values.is_empty() {
            return Err(Error::invalid_config(format_args!("the list `{name}` is empty; give at least one value")));
        }
        let slugs: Vec<String> = values.iter().map(|value| slug(value)).collect();
        let mut seen = BTreeMap::new();
        for (value, slug) in values.iter().zip(&slugs) {
            if let Some(first) = seen.insert(slug, value) {
                let what =
                    if first == value { "is listed twice" } else { "cannot be told from an earlier value in ids" };
                return Err(Error::invalid_config(format_args!(
                    "variable `{name}`: `{value}` {what} (`{first}`, id `{slug}`)"
                )));
            }
        }
        Ok(Self { name: name.to_owned(), values, slugs })
    }
}

/// The lists of the config, from both places.
fn given(config: &Config) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let mut given = BTreeMap::new();
    for (name, values) in config.inline.iter().chain(&config.variables) {
        if !is_name(name) {
            return Err(Error::invalid_config(format_args!(
                "`{name}` is no variable name: letters, digits, `_` and `-`, beginning with a letter"
            )));
        }
        if name == "template" {
            return Err(Error::invalid_config(
                "a variable cannot be called `template`: prompts name their template so",
            ));
        }
        let values = values.iter().map(ToString::to_string).collect();
        if given.insert(name.clone(), values).is_some() {
            return Err(Error::invalid_config(format_args!(
                "the variable `{name}` is given twice, beside `template` and in `variables`"
            )));
        }
    }
    Ok(given)
}

fn too_many() -> Error {
    Error::invalid_config("more than 2^127 combinations; shorten the lists")
}

/// See [`Matrix::product`]. Skipping is free.
#[derive(Clone, Debug)]
pub struct Product {
    matrix: Matrix,
    next: u128,
}

impl Iterator for Product {
    type Item = Prompt;

    fn next(&mut self) -> Option<Prompt> {
        self.nth(0)
    }

    fn nth(&mut self, skip: usize) -> Option<Prompt> {
        let at = self.next.saturating_add(skip as u128);
        self.next = at.saturating_add(1);
        self.matrix.prompt(at)
    }
}

/// See [`Matrix::sample`]. Skipping draws numbers without building prompts.
#[derive(Clone, Debug)]
pub struct Sample {
    matrix: Matrix,
    draws: Draws,
    left: u32,
}

impl Iterator for Sample {
    type Item = Prompt;

    fn next(&mut self) -> Option<Prompt> {
        self.nth(0)
    }

    fn nth(&mut self, skip: usize) -> Option<Prompt> {
        let skip = u32::try_from(skip).unwrap_or(u32::MAX);
        if skip >= self.left {
            self.left = 0;
            return None;
        }
        self.left -= skip + 1;
        let index = self.draws.nth(skip as usize)?;
        self.matrix.prompt(u128::from(index))
    }
}
