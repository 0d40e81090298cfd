//! The glue to the contract in `wit/`: the SDK's own types on one side, generated ones on the other. Only on WebAssembly.
//!
//! Each exported interface is generated from exactly one world, and the imports once: `prompt` borrows them from `metric`.
//! (Two generations of one interface in a crate collide, and an import that is never called leaves no trace.)

use std::marker::PhantomData;

use crate::{Direction, Error, GeneratorInfo, Image, MetricInfo, MetricPlugin, Prompt, PromptPlugin, Sample, Score};

#[allow(unsafe_code, unreachable_pub, missing_docs, clippy::all, reason = "generated")]
pub mod metric {
    wit_bindgen::generate!({
        path: "wit",
        world: "metric-plugin",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "::difftest_sdk::bindings::metric",
        generate_all,
    });
}

#[allow(unsafe_code, unreachable_pub, missing_docs, clippy::all, reason = "generated")]
pub mod prompt {
    wit_bindgen::generate!({
        path: "wit",
        world: "prompt-plugin",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "::difftest_sdk::bindings::prompt",
        with: {
            "difftest:plugin/types@0.1.0": crate::bindings::metric::difftest::plugin::types,
            "difftest:plugin/log@0.1.0": crate::bindings::metric::difftest::plugin::log,
        },
        generate_all,
    });
}

use self::metric::difftest::plugin::{media, types};
use self::metric::exports::difftest::plugin::metric as metric_export;
use self::prompt::exports::difftest::plugin::prompts as prompts_export;

/// A plugin as the generated code wants it.
pub struct Exported<P>(PhantomData<P>);

impl<P: MetricPlugin> metric_export::Guest for Exported<P> {
    fn describe() -> Vec<types::MetricInfo> {
        P::describe().into_iter().map(types::MetricInfo::from).collect()
    }

    fn measure(
        metric: String,
        image: &media::Image,
        sample: types::Sample,
        config: String,
    ) -> Result<types::Score, types::Error> {
        let types::Sample { id, prompt, negative_prompt, seed, attributes } = sample;
        let sample = Sample { id, prompt, negative_prompt, seed, attributes };
        P::measure(&metric, Image::lent(image), &sample, &config).map(Into::into).map_err(Into::into)
    }
}

impl<P: PromptPlugin> prompts_export::Guest for Exported<P> {
    fn describe() -> Vec<prompts_export::GeneratorInfo> {
        let describe = |info: GeneratorInfo| {
            let GeneratorInfo { name, summary, config_schema } = info;
            prompts_export::GeneratorInfo { name, summary, config_schema }
        };
        P::describe().into_iter().map(describe).collect()
    }

    fn generate(
        generator: String,
        request: prompts_export::Request,
    ) -> Result<Vec<prompts_export::Prompt>, types::Error> {
        let prompts_export::Request { seed, offset, limit, config } = request;
        let leave =
            |Prompt { id, text, negative, attributes }| prompts_export::Prompt { id, text, negative, attributes };
        match P::generate(&generator, seed, offset, limit, &config) {
            Ok(prompts) => Ok(prompts.into_iter().map(leave).collect()),
            Err(error) => Err(error.into()),
        }
    }
}

impl From<MetricInfo> for types::MetricInfo {
    fn from(info: MetricInfo) -> Self {
        let MetricInfo { name, summary, direction, range, unit, config_schema } = info;
        let direction = match direction {
            Direction::HigherIsBetter => types::Direction::HigherIsBetter,
            Direction::LowerIsBetter => types::Direction::LowerIsBetter,
            Direction::Neither => types::Direction::Neither,
        };
        Self { name, summary, direction, range, unit, config_schema }
    }
}

impl From<Score> for types::Score {
    fn from(score: Score) -> Self {
        let details = score.details.into_iter().map(|detail| types::Detail { name: detail.name, value: detail.value });
        Self { value: score.value, details: details.collect() }
    }
}

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidConfig(message) => Self::InvalidConfig(message),
            Error::UnsupportedInput(message) => Self::UnsupportedInput(message),
            Error::ModelNotFound(message) => Self::ModelNotFound(message),
            Error::Other(message) => Self::Other(message),
        }
    }
}
