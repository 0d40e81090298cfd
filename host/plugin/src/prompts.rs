//! A plugin's prompt generator, as every other part of difftest sees it.

use std::collections::HashSet;
use std::sync::Arc;

use difftest_core::generate::{Prompt, PromptGenerator};
use difftest_core::metric::MetricError;
use serde_json::Value;

use crate::bindings::{PromptPluginPre, generated};
use crate::failure::{Place, grouped};
use crate::plugin::{About, Plugin};
use crate::state::State;
use crate::{metric, schema, text};

/// Prompts asked for at once: pages of this size fit the transfer limit at the longest prompts that people write.
pub(crate) const PAGE: u32 = 256;
/// Characters of an id and of an attribute's name.
const ID_CHARS: usize = 128;
/// Attributes of one prompt.
const ATTRIBUTES: usize = 64;

/// One prompt generator of a loaded plugin. Each page is made in a store of its own.
pub struct PluginPrompts {
    plugin: Arc<Plugin>,
    pre: PromptPluginPre<State>,
    index: usize,
}

impl PluginPrompts {
    /// The prompt generator `name` of `plugin`, or its only one where no name is given; `None` where there is no such.
    pub(crate) fn new(plugin: &Arc<Plugin>, name: Option<&str>) -> Option<Self> {
        let pre = plugin.calls.prompts.clone()?;
        let index = match name {
            Some(name) => plugin.generators.iter().position(|generator| generator.name == name)?,
            None if plugin.generators.len() == 1 => 0,
            None => return None,
        };
        Some(Self { plugin: plugin.clone(), pre, index })
    }

    /// The name that a suite may use for it without doubt: `plugin/generator`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.plugin.id.name, self.plugin.generators[self.index].name)
    }

    /// The plugin, pinned.
    #[must_use]
    pub fn plugin(&self) -> &difftest_core::metric::PluginId {
        &self.plugin.id
    }

    fn page(
        &self,
        seed: u64,
        offset: u32,
        limit: u32,
        config: &str,
        place: &Place<'_>,
    ) -> Result<(Vec<Prompt>, u64), MetricError> {
        let name = &self.plugin.generators[self.index].name;
        let request = generated::Request { seed, offset, limit, config: config.to_owned() };
        let (answer, fuel) = self.plugin.sandbox.call(place, self.plugin.grant(About::Pixels(0), None), |store| {
            let plugin = self.pre.instantiate(&mut *store)?;
            plugin.difftest_plugin_prompts().call_generate(&mut *store, name, &request)
        })?;
        let prompts = answer.map_err(|error| metric::said(&error, place))?;
        if prompts.len() > limit as usize {
            let what = format!("it was asked for {limit} prompts and gave {}", prompts.len());
            return Err(place.error("output", what, None));
        }
        let chars = self.plugin.sandbox.limits.prompt_chars;
        let at = |i: usize| offset as usize + i + 1;
        let believed = prompts.into_iter().enumerate().map(|(i, prompt)| {
            believe(prompt, chars).map_err(|why| place.error("output", format!("prompt {} {why}", at(i)), None))
        });
        Ok((believed.collect::<Result<_, _>>()?, fuel))
    }

    /// At most `limit` prompts, asked for in pages of `page`, and the fuel of all pages together.
    pub(crate) fn gather(
        &self,
        config: &Value,
        seed: u64,
        limit: u32,
        page: u32,
    ) -> Result<(Vec<Prompt>, u64), MetricError> {
        let generator = &self.plugin.generators[self.index];
        let place = Place { plugin: &self.plugin.id.name, of: Some(&generator.name), sample: None };
        let most = self.plugin.sandbox.limits.prompts;
        if limit > most {
            let what =
                format!("{} prompts were asked for, {} is the most", grouped(limit.into()), grouped(most.into()));
            return Err(place.error("output", what, Some("set a smaller `limit`".into())));
        }
        let config = schema::check(generator.schema.as_ref(), config, &place)?;
        let mut prompts: Vec<Prompt> = Vec::new();
        let mut ids = HashSet::new();
        let mut burnt = 0;
        while (prompts.len() as u32) < limit {
            let offset = prompts.len() as u32;
            let wanted = page.min(limit - offset);
            let (new, fuel) = self.page(seed, offset, wanted, &config, &place)?;
            burnt += fuel;
            let last = (new.len() as u32) < wanted;
            for prompt in new {
                if !ids.insert(prompt.id.clone()) {
                    let what = format!("two of its prompts have the id `{}`", prompt.id);
                    let hint = "ids name cases and files, so each must be used once";
                    return Err(place.error("duplicate-id", what, Some(hint.into())));
                }
                prompts.push(prompt);
            }
            if last {
                break;
            }
        }
        if prompts.is_empty() && limit > 0 {
            return Err(place.error("no-prompts", "it gave no prompts", Some("see its config".into())));
        }
        Ok((prompts, burnt))
    }
}

impl PromptGenerator for PluginPrompts {
    fn prompts(&self, config: &Value, seed: u64, limit: u32) -> Result<Vec<Prompt>, MetricError> {
        self.gather(config, seed, limit, PAGE).map(|(prompts, _)| prompts)
    }
}

/// A prompt that can be used as it is, or what is wrong with it.
fn believe(prompt: generated::Prompt, chars: usize) -> Result<Prompt, String> {
    plain("id", &prompt.id, ID_CHARS)?;
    if prompt.id.trim().is_empty() {
        return Err("has an empty id".to_owned());
    }
    if prompt.text.trim().is_empty() {
        return Err(format!("(`{}`) has no text", prompt.id));
    }
    plain("text", &prompt.text, chars)?;
    plain("negative prompt", prompt.negative.as_deref().unwrap_or_default(), chars)?;
    if prompt.attributes.len() > ATTRIBUTES {
        return Err(format!("has {} attributes, {ATTRIBUTES} is the most", prompt.attributes.len()));
    }
    for (name, value) in &prompt.attributes {
        plain("attribute", name, ID_CHARS)?;
        plain("attribute", value, chars)?;
    }
    let mut attributes = prompt.attributes;
    attributes.sort();
    if let Some(pair) = attributes.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(format!("has the attribute `{}` twice", pair[0].0));
    }
    Ok(Prompt { id: prompt.id, text: prompt.text, negative: prompt.negative, attributes })
}

/// Prompts go to models and into file names, so they are refused rather than escaped. Line ends and tabs belong to prose.
fn plain(what: &str, said: &str, chars: usize) -> Result<(), String> {
    let unsafe_char = |c: char| text::is_unsafe(c) && (what == "id" || !matches!(c, '\n' | '\t'));
    if let Some(c) = said.chars().find(|c| unsafe_char(*c)) {
        return Err(format!("has {} in its {what}, a character that is not text", c.escape_unicode()));
    }
    let count = said.chars().count();
    if count > chars {
        return Err(format!(
            "has {what} of {} characters, {} is the most",
            grouped(count as u64),
            grouped(chars as u64)
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(id: &str, text: &str, attributes: &[(&str, &str)]) -> String {
        let attributes = attributes.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let prompt = generated::Prompt { id: id.to_owned(), text: text.to_owned(), negative: None, attributes };
        believe(prompt, 100).err().unwrap_or_default()
    }

    #[test]
    fn prompts_that_cannot_be_used_are_refused() {
        assert_eq!(says("a", "a cat,\n\tsleeping", &[("b", "1"), ("a", "2")]), "");
        assert!(says("", "a cat", &[]).contains("empty id"));
        assert!(says("a\nb", "a cat", &[]).contains("in its id"));
        assert!(says("a", " \n", &[]).contains("no text"));
        assert!(says("a", "a \u{1b}[31mred cat", &[]).contains("\\u{1b} in its text"));
        assert!(says("a", "a \u{202e}tac", &[]).contains("\\u{202e}"));
        assert!(says("a", &"x".repeat(101), &[]).contains("101 characters, 100 is the most"));
        assert!(says(&"x".repeat(129), "a cat", &[]).contains("has id of 129"));
        assert!(says("a", "a cat", &[("b", "1"), ("b", "2")]).contains("`b` twice"));
    }
}
