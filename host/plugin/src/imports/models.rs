//! Which of the suite's models a plugin may ask: the declared ones, by name. A path, a file or a web address is a name that
//! nothing has.

use std::sync::Arc;

use difftest_core::model::Models;

use crate::state::State;
use crate::text;

/// The suite's models, if one is called `name`; else what to say to the plugin.
pub(super) fn declared(state: &State, name: &str) -> Result<Arc<dyn Models>, String> {
    let models = state.models();
    let declared = models.as_ref().map(|models| models.declared()).unwrap_or_default();
    if let (Some(models), true) = (&models, declared.iter().any(|(known, _)| known == name)) {
        return Ok(models.clone());
    }
    let there = match declared {
        [] => "no model is declared".to_owned(),
        names => {
            let names: Vec<_> = names.iter().map(|(name, _)| format!("`{name}`")).collect();
            format!("there is {}", names.join(", "))
        }
    };
    let name = text::line(name, 100);
    Err(format!("no model is called `{name}`; {there}; a suite declares models by name under `[models]`"))
}
