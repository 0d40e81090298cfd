//! The checks of one prompt generator.

use difftest_core::generate::Prompt;
use difftest_core::metric::MetricError;
use serde_json::{Value, json};

use super::{Conformance, Outcome, STORES, THREADS, as_metric_error, config, on_threads, said};
use crate::failure::grouped;
use crate::prompts::{PAGE, PluginPrompts};
use crate::report::GeneratorInfo;

type Tell<'a> = &'a mut dyn FnMut(String, Outcome);
type Answer = Result<(Vec<Prompt>, u64), MetricError>;

/// Prompts that are asked for: more than one page of the smaller sort, and few enough to be quick.
const LIMIT: u32 = 40;
/// A page size that divides nothing evenly.
const SMALL_PAGE: u32 = 7;
const SEED: u64 = 42;

pub(super) fn run(subject: &Conformance<'_>, info: &GeneratorInfo, tell: Tell<'_>) {
    let generator = match subject.registry.prompt_generator(&info.name).map_err(as_metric_error) {
        Ok(generator) => generator,
        Err(error) => return tell("generates prompts".into(), subject.judge(&error)),
    };
    let mut base = None;
    for candidate in subject.configs(&info.name) {
        match generator.gather(&candidate, SEED, LIMIT, PAGE) {
            Err(error) if error.kind == "invalid-config" => {}
            Err(error) => {
                tell("generates prompts".into(), Outcome::failed(said(&error), error.hint));
                return;
            }
            Ok(first) => {
                prompts(&generator, &candidate, &first, tell);
                base = Some(candidate);
                break;
            }
        }
    }
    if base.is_none() {
        tell("generates prompts".into(), Outcome::skipped(config::NEEDS_CONFIG));
    }
    // a config is looked at before the plugin is called, so asking for no prompts asks about the config alone
    let accepts = |config: &Value| generator.gather(config, SEED, 0, PAGE).map(drop);
    config::run(info.config_schema.as_ref(), base.as_ref(), &accepts, tell);
}

fn prompts(generator: &PluginPrompts, config: &Value, first: &(Vec<Prompt>, u64), tell: Tell<'_>) {
    let gather = |seed: u64, limit: u32, page: u32| generator.gather(config, seed, limit, page);
    let again = (1..STORES).map(|_| gather(SEED, LIMIT, PAGE)).collect();
    tell(format!("gives the same prompts for the same fuel in {STORES} stores"), agree(first, again));
    let what = format!("gives the same prompts for the same fuel on {THREADS} threads");
    match on_threads(|| gather(SEED, LIMIT, PAGE)) {
        Ok(answers) => tell(what, agree(first, answers)),
        Err(error) => tell(what, Outcome::skipped(format!("no threads can be started: {error}"))),
    }
    // few prompts make two pages at least
    let page = SMALL_PAGE.min(first.0.len() as u32 / 2).max(1);
    let paged = gather(SEED, LIMIT, page);
    tell(format!("gives the same prompts in pages of {page}"), prefix(&first.0, paged, first.0.len()));
    let few = first.0.len().div_ceil(2);
    let half = gather(SEED, few as u32, PAGE);
    tell(format!("begins with the same prompts when asked for {few}"), prefix(&first.0, half, few));
    for seed in [0, u64::MAX] {
        let outcome = match gather(seed, LIMIT, PAGE) {
            Ok((prompts, _)) => Outcome::passed(format!("{} prompts", prompts.len())),
            Err(error) => Outcome::failed(said(&error), error.hint),
        };
        tell(format!("generates from the seed {seed}"), outcome);
    }
}

fn agree(first: &(Vec<Prompt>, u64), others: Vec<Answer>) -> Outcome {
    let hint = "prompts may depend on seed and config alone: look for what is kept between calls and for the order of hash maps";
    for other in others {
        let reason = match other {
            Err(error) => format!("{} prompts at first, then {}", first.0.len(), said(&error)),
            Ok(other) if other == *first => continue,
            Ok(other) if other.0 == first.0 => {
                format!("the same prompts, but for {} fuel at first, then {}", grouped(first.1), grouped(other.1))
            }
            Ok(other) => difference(&first.0, &other.0),
        };
        return Outcome::failed(reason, Some(hint.into()));
    }
    Outcome::passed(format!("{} prompts for {} fuel", first.0.len(), grouped(first.1)))
}

/// Whether `answer` is the first `count` of `whole`.
fn prefix(whole: &[Prompt], answer: Answer, count: usize) -> Outcome {
    let hint = "the prompts `offset .. offset + limit` of one sequence, whatever the two are, make a page";
    match answer {
        Ok((prompts, _)) if prompts == whole[..count] => Outcome::passed(format!("{count} prompts")),
        Ok((prompts, _)) => Outcome::failed(difference(&whole[..count], &prompts), Some(hint.into())),
        Err(error) => Outcome::failed(said(&error), error.hint),
    }
}

/// The first place where two lists differ.
fn difference(ours: &[Prompt], theirs: &[Prompt]) -> String {
    let show = |prompt: Option<&Prompt>| match prompt {
        Some(prompt) => format!("{} (`{}`)", json!(prompt.text), prompt.id),
        None => "no prompt".to_owned(),
    };
    let at = ours.iter().zip(theirs).position(|(a, b)| a != b).unwrap_or(ours.len().min(theirs.len()));
    format!("prompt {} is {}, then {}", at + 1, show(ours.get(at)), show(theirs.get(at)))
}
