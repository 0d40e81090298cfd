//! The contract as Rust types, generated from `wit/v0.1`. One module for each interface that a plugin may export, from a world
//! that has it; all of them share the first one's types, so that an error or a score is one type whoever answers.
//!
//! What plugins import is linked by hand (see [`crate::imports`]); of the imports only the plain types are used from here.

pub(crate) mod metric {
    wasmtime::component::bindgen!({
        path: "../../wit/v0.1",
        world: "metric-plugin",
        with: {
            "difftest:plugin/media.image": crate::imports::media::HostImage,
            "difftest:plugin/media.image-set": crate::imports::set::HostImageSet,
        },
    });
}

pub(crate) mod pair {
    wasmtime::component::bindgen!({
        path: "../../wit/v0.1",
        world: "pair-metric-plugin",
        with: {
            "difftest:plugin/types": super::metric::difftest::plugin::types,
            "difftest:plugin/media": super::metric::difftest::plugin::media,
            "difftest:plugin/log": super::metric::difftest::plugin::log,
        },
    });
}

pub(crate) mod set {
    wasmtime::component::bindgen!({
        path: "../../wit/v0.1",
        world: "set-metric-plugin",
        with: {
            "difftest:plugin/types": super::metric::difftest::plugin::types,
            "difftest:plugin/media": super::metric::difftest::plugin::media,
            "difftest:plugin/log": super::metric::difftest::plugin::log,
            "wasi:nn/tensor.tensor": crate::imports::nn::HostTensor,
            "wasi:nn/graph.graph": crate::imports::nn::HostGraph,
            "wasi:nn/inference.graph-execution-context": crate::imports::nn::HostContext,
            "wasi:nn/errors.error": crate::imports::nn::HostError,
        },
    });
}

pub(crate) mod prompts {
    wasmtime::component::bindgen!({
        path: "../../wit/v0.1",
        world: "prompt-plugin",
        with: {
            "difftest:plugin/types": super::metric::difftest::plugin::types,
            "difftest:plugin/log": super::metric::difftest::plugin::log,
        },
    });
}

pub(crate) use metric::MetricPluginPre;
pub(crate) use metric::difftest::plugin::{log, media, types};
pub(crate) use pair::PairMetricPluginPre;
pub(crate) use prompts::PromptPluginPre;
pub(crate) use prompts::exports::difftest::plugin::prompts as generated;
pub(crate) use set::SetMetricPluginPre;
pub(crate) use set::wasi::nn::{errors, graph, tensor};
