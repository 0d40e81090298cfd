//! How strongly a layer counts by itself: alpha over rank.
//!
//! kohya's files hold an `alpha` for each layer, and without one a layer counts once. What peft trained says it in its config:
//! in the header of diffusers' files (`lora_adapter_metadata`, each key with its component in front) or in `adapter_config.json`
//! beside `adapter_model.safetensors`. There `alpha_pattern` names exceptions, and `use_rslora` divides by the root of the rank.

use serde_json::{Map, Value};

use super::file::LoraFile;
use super::{Component, LoraError};

/// Beside peft's `adapter_model.safetensors`.
const CONFIG: &str = "adapter_config.json";
/// The entry of the header that diffusers writes.
const SAID: &str = "lora_adapter_metadata";

/// What is said for all layers.
pub(super) struct Scales<'f> {
    file: &'f LoraFile,
    said: Said,
}

enum Said {
    Nothing,
    /// Keys start with the component.
    InHeader(Map<String, Value>),
    Beside(Map<String, Value>),
}

impl<'f> Scales<'f> {
    /// Finds and checks what is said. A file of peft's own is refused without its config: its strength is not known.
    pub(super) fn read(file: &'f LoraFile) -> Result<Self, LoraError> {
        let said = if let Some(text) = file.said.get(SAID) {
            Said::InHeader(object(file, SAID, text.as_bytes())?)
        } else if file.tensors.keys().any(|key| key.starts_with("base_model.model.")) {
            let path = file.path.with_file_name(CONFIG);
            let text = crate::files::read(&path).map_err(LoraError::io(&path))?;
            Said::Beside(object(file, CONFIG, &text)?)
        } else {
            Said::Nothing
        };
        let scales = Self { file, said };
        for component in Component::ALL {
            scales.check(component)?;
        }
        Ok(scales)
    }

    fn get(&self, component: Component, key: &str) -> Option<&Value> {
        match &self.said {
            Said::Nothing => None,
            Said::InHeader(said) => said.get(&format!("{component}.{key}")),
            Said::Beside(said) => said.get(key),
        }
    }

    /// Refuses settings by which layers would mean something else.
    fn check(&self, component: Component) -> Result<(), LoraError> {
        let refuse = |what: &str, key: String| {
            Err(LoraError::Unsupported { path: self.file.path.clone(), what: what.to_owned(), key })
        };
        for (key, what) in [("use_dora", "DoRA"), ("fan_in_fan_out", "a LoRA of transposed weights")] {
            if self.get(component, key).is_some_and(|value| *value == Value::Bool(true)) {
                return refuse(what, format!("{key} = true"));
            }
        }
        if let Some(kind) = self.get(component, "peft_type").and_then(Value::as_str).filter(|kind| *kind != "LORA") {
            return refuse(kind, format!("peft_type = {kind:?}"));
        }
        let start = self.get(component, "init_lora_weights").and_then(Value::as_str).unwrap_or_default();
        // These change the weights that the LoRA is added to.
        if ["pissa", "olora", "corda", "eva", "loftq"].iter().any(|kind| start.starts_with(kind)) {
            return refuse("a LoRA on weights changed before training", format!("init_lora_weights = {start:?}"));
        }
        Ok(())
    }

    /// What layer `module` of `component`, of this `rank`, is multiplied by; `alpha` is its own, where the file has one.
    pub(super) fn of(
        &self,
        component: Component,
        module: &str,
        rank: usize,
        alpha: Option<f64>,
    ) -> Result<f64, LoraError> {
        let wrong = |why: String| LoraError::Layer { path: self.file.path.clone(), key: module.to_owned(), why };
        let said = match self.get(component, "lora_alpha") {
            None => None,
            Some(value) => {
                Some(value.as_f64().ok_or_else(|| wrong(format!("has lora_alpha = {value}, not a number")))?)
            }
        };
        let exception = match self.get(component, "alpha_pattern").and_then(Value::as_object) {
            None => None,
            Some(patterns) => self.exception(patterns, module)?,
        };
        let alpha = match (alpha, exception.or(said)) {
            (Some(_), Some(_)) => return Err(wrong(format!("has an alpha of its own and one in {SAID}"))),
            (alpha, said) => alpha.or(said),
        };
        let root = self.get(component, "use_rslora").is_some_and(|value| *value == Value::Bool(true));
        let rank = rank as f64;
        let scale = alpha.map_or(1.0, |alpha| alpha / if root { rank.sqrt() } else { rank });
        if scale.is_finite() { Ok(scale) } else { Err(wrong(format!("counts {scale} times"))) }
    }

    /// peft's patterns are regular expressions for the end of a name, from a dot on; a `^` in front asks for the whole name.
    /// Those in files are names, and anything else is refused.
    fn exception(&self, patterns: &Map<String, Value>, module: &str) -> Result<Option<f64>, LoraError> {
        for (pattern, value) in patterns {
            let name = pattern.strip_prefix('^').unwrap_or(pattern);
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
            let Some(value) = value.as_f64().filter(|_| name.chars().all(plain)) else {
                let what = "an alpha_pattern that is not a name with a number".to_owned();
                return Err(LoraError::Unsupported { path: self.file.path.clone(), what, key: pattern.clone() });
            };
            // Both with or without the half's name, which transformers 5 leaves out.
            let name = name.strip_prefix("text_model.").unwrap_or(name);
            let end = || module.strip_suffix(name).is_some_and(|front| front.is_empty() || front.ends_with('.'));
            if if pattern.starts_with('^') { name == module } else { end() } {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }
}

fn object(file: &LoraFile, name: &str, text: &[u8]) -> Result<Map<String, Value>, LoraError> {
    serde_json::from_slice(text).map_err(|error| LoraError::Damaged {
        path: file.path.clone(),
        why: format!("{name} is not a JSON object: {error}"),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::{BTreeMap, HashMap};

    use serde_json::{Value, json};

    use super::super::file::LoraFile;
    use super::{Component, LoraError, SAID, Scales};

    /// Scale of `up_blocks.1.attn.to_k` of the UNet with rank 4.
    fn scale(said: &Value, alpha: Option<f64>) -> Result<f64, LoraError> {
        let said = HashMap::from([(SAID.to_owned(), said.to_string())]);
        let file = LoraFile { path: "x.safetensors".into(), tensors: BTreeMap::new(), said };
        Scales::read(&file)?.of(Component::Unet, "up_blocks.1.attn.to_k", 4, alpha)
    }

    #[test]
    fn alpha_is_the_layers_own_or_that_of_the_config_and_its_exceptions() {
        let close = |said: Value, alpha, expected: f64| assert_eq!(scale(&said, alpha).unwrap(), expected, "{said}");
        close(json!({}), None, 1.0);
        close(json!({}), Some(2.0), 0.5);
        close(json!({"unet.lora_alpha": 8}), None, 2.0);
        close(json!({"text_encoder.lora_alpha": 8}), None, 1.0);
        close(json!({"unet.lora_alpha": 8, "unet.use_rslora": true}), None, 4.0);
        let exceptions = |pattern: &str| json!({"unet.lora_alpha": 8, "unet.alpha_pattern": {pattern: 1}});
        for pattern in ["to_k", "attn.to_k", "^up_blocks.1.attn.to_k"] {
            close(exceptions(pattern), None, 0.25);
        }
        for pattern in ["o_k", "^to_k", "attn", "up_blocks.1.attn.to_k.x"] {
            close(exceptions(pattern), None, 2.0);
        }
    }

    #[test]
    fn what_would_mean_something_else_is_refused() {
        for (said, why) in [
            (json!({"unet.use_dora": true}), "DoRA"),
            (json!({"unet.fan_in_fan_out": true}), "transposed"),
            (json!({"unet.peft_type": "LOHA"}), "LOHA"),
            (json!({"unet.init_lora_weights": "pissa_niter_4"}), "pissa"),
            (json!({"unet.alpha_pattern": {"to_(k|v)": 1}}), "to_(k|v)"),
            (json!({"unet.lora_alpha": "x"}), "not a number"),
            (json!([1]), "not a JSON object"),
        ] {
            let error = scale(&said, None).unwrap_err().to_string();
            assert!(error.contains(why), "{said}: {error}");
        }
        let twice = scale(&json!({"unet.lora_alpha": 8}), Some(1.0)).unwrap_err();
        assert!(twice.to_string().contains("an alpha of its own"), "{twice}");
        assert!(scale(&json!({}), Some(f64::INFINITY)).is_err());
    }
}
