//! The glue to the contract in `wit/`: the SDK's own types on one side, generated ones on the other. Only on WebAssembly.
//!
//! The imports are generated once, from the world `models` that holds all of them, as [`host`]; each exported interface is
//! generated from exactly one world and borrows them. (Two generations of one interface in a crate collide.) An import that
//! is never called leaves no trace in a component, so a metric that asks no model stays exact although its block knows
//! `models`.

use std::marker::PhantomData;

use crate::{
    Direction, Error, GeneratorInfo, Image, ImageSet, MetricInfo, MetricPlugin, PairMetricPlugin, Prompt, PromptPlugin,
    Sample, Score, SetMetricPlugin,
};

#[allow(unsafe_code, unreachable_pub, missing_docs, clippy::all, reason = "generated")]
pub mod host {
    wit_bindgen::generate!({
        path: "wit",
        world: "models",
        generate_all,
    });
}

#[allow(unsafe_code, unreachable_pub, missing_docs, clippy::all, reason = "generated")]
pub mod metric {
    wit_bindgen::generate!({
        path: "wit",
        world: "metric-plugin",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "::difftest_sdk::bindings::metric",
        with: {
            "difftest:plugin/types@0.1.0": crate::bindings::host::difftest::plugin::types,
            "difftest:plugin/media@0.1.0": crate::bindings::host::difftest::plugin::media,
            "difftest:plugin/log@0.1.0": crate::bindings::host::difftest::plugin::log,
        },
    });
}

#[allow(unsafe_code, unreachable_pub, missing_docs, clippy::all, reason = "generated")]
pub mod pair {
    wit_bindgen::generate!({
        path: "wit",
        world: "pair-metric-plugin",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "::difftest_sdk::bindings::pair",
        with: {
            "difftest:plugin/types@0.1.0": crate::bindings::host::difftest::plugin::types,
            "difftest:plugin/media@0.1.0": crate::bindings::host::difftest::plugin::media,
            "difftest:plugin/log@0.1.0": crate::bindings::host::difftest::plugin::log,
        },
    });
}

#[allow(unsafe_code, unreachable_pub, missing_docs, clippy::all, reason = "generated")]
pub mod set {
    wit_bindgen::generate!({
        path: "wit",
        world: "set-metric-plugin",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "::difftest_sdk::bindings::set",
        with: {
            "difftest:plugin/types@0.1.0": crate::bindings::host::difftest::plugin::types,
            "difftest:plugin/media@0.1.0": crate::bindings::host::difftest::plugin::media,
            "difftest:plugin/log@0.1.0": crate::bindings::host::difftest::plugin::log,
            "difftest:plugin/embeddings@0.1.0": crate::bindings::host::difftest::plugin::embeddings,
            "wasi:nn/tensor@0.2.0-rc-2024-10-28": crate::bindings::host::wasi::nn::tensor,
            "wasi:nn/graph@0.2.0-rc-2024-10-28": crate::bindings::host::wasi::nn::graph,
            "wasi:nn/inference@0.2.0-rc-2024-10-28": crate::bindings::host::wasi::nn::inference,
            "wasi:nn/errors@0.2.0-rc-2024-10-28": crate::bindings::host::wasi::nn::errors,
        },
    });
}

#[allow(unsafe_code, unreachable_pub, missing_docs, clippy::all, reason = "generated")]
pub mod prompts {
    wit_bindgen::generate!({
        path: "wit",
        world: "prompt-plugin",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "::difftest_sdk::bindings::prompts",
        with: {
            "difftest:plugin/types@0.1.0": crate::bindings::host::difftest::plugin::types,
            "difftest:plugin/log@0.1.0": crate::bindings::host::difftest::plugin::log,
        },
    });
}

use self::host::difftest::plugin::{media, types};
use self::metric::exports::difftest::plugin::metric as metric_export;
use self::pair::exports::difftest::plugin::pair_metric as pair_export;
use self::prompts::exports::difftest::plugin::prompts as prompts_export;
use self::set::exports::difftest::plugin::set_metric as set_export;

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
        P::measure(&metric, Image::lent(image), &sample.into(), &config).map(Into::into).map_err(Into::into)
    }
}

impl<P: PairMetricPlugin> pair_export::Guest for Exported<P> {
    fn describe() -> Vec<types::MetricInfo> {
        P::describe().into_iter().map(types::MetricInfo::from).collect()
    }

    fn measure(
        metric: String,
        image: &media::Image,
        reference: &media::Image,
        sample: types::Sample,
        config: String,
    ) -> Result<types::Score, types::Error> {
        let [image, reference] = [image, reference].map(Image::lent);
        P::measure(&metric, image, reference, &sample.into(), &config).map(Into::into).map_err(Into::into)
    }
}

impl<P: SetMetricPlugin> set_export::Guest for Exported<P> {
    fn describe() -> Vec<types::MetricInfo> {
        P::describe().into_iter().map(types::MetricInfo::from).collect()
    }

    fn measure(
        metric: String,
        images: &media::ImageSet,
        reference: Option<&media::ImageSet>,
        config: String,
    ) -> Result<types::Score, types::Error> {
        let (images, reference) = (ImageSet::lent(images), reference.map(ImageSet::lent));
        P::measure(&metric, images, reference, &config).map(Into::into).map_err(Into::into)
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

impl From<types::Sample> for Sample {
    fn from(sample: types::Sample) -> Self {
        let types::Sample { id, prompt, negative_prompt, seed, attributes } = sample;
        Self { id, prompt, negative_prompt, seed, attributes }
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

/// An error of the host as our own, of the same kind. (`?` would make each of them [`Error::Other`].)
pub(crate) fn own(error: types::Error) -> Error {
    match error {
        types::Error::InvalidConfig(message) => Error::InvalidConfig(message),
        types::Error::UnsupportedInput(message) => Error::UnsupportedInput(message),
        types::Error::ModelNotFound(message) => Error::ModelNotFound(message),
        types::Error::Other(message) => Error::Other(message),
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
