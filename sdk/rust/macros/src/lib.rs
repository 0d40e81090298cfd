//! The macros of `difftest-sdk`. Use them through that crate, which documents them and holds what they expand to.
//!
//! - [`metrics!`] and [`prompts!`] (`block`, then `metric` with `subject` and `options`, or `prompt`, then `frame`): functions
//!   in, implementations of the SDK's `MetricPlugin`, `PairMetricPlugin`, `SetMetricPlugin` or `PromptPlugin` out, exported
//!   from the component. Only interfaces that have functions are exported.
//! - [`macro@config`] (`config`): a struct or enum in, a type with a JSON Schema out.
//!
//! Invariant: every name in an expansion is absolute (`::difftest_sdk::...`), so an author's own names cannot change
//! what it means; every refusal points at the author's token and says what to write instead.

mod block;
mod config;
mod frame;
mod metric;
mod name;
mod options;
mod prompt;
mod subject;

use proc_macro::TokenStream;

/// Makes every function of the block a metric of this plugin. Documented in `difftest_sdk`.
#[proc_macro]
pub fn metrics(input: TokenStream) -> TokenStream {
    metric::expand(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes every function of the block a prompt generator of this plugin. Documented in `difftest_sdk`.
#[proc_macro]
pub fn prompts(input: TokenStream) -> TokenStream {
    prompt::expand(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct or enum usable as the `config` of a metric or prompt generator. Documented in `difftest_sdk`.
#[proc_macro_attribute]
pub fn config(arguments: TokenStream, item: TokenStream) -> TokenStream {
    config::expand(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
