//! The contract as Rust types, generated from `wit/v0.1`. One module for each world that this host runs; the second world
//! reuses the first one's types.

pub(crate) mod metric {
    wasmtime::component::bindgen!({
        path: "../../wit/v0.1",
        world: "metric-plugin",
        with: {
            "difftest:plugin/media.image": crate::imports::media::HostImage,
            "difftest:plugin/media.image-set": crate::imports::media::HostImageSet,
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
pub(crate) use prompts::PromptPluginPre;
pub(crate) use prompts::exports::difftest::plugin::prompts as generated;
