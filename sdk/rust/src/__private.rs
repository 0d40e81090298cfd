//! What the macros' expansions call. No part of the public interface: it may change in every version.

use std::any::Any;
use std::fmt::Display;

pub use {schemars, serde};

use crate::{Error, Prompt, Score};

/// What a metric may return.
#[diagnostic::on_unimplemented(
    message = "a metric cannot return `{Self}`",
    label = "return `f64`, `Score`, or a `Result` of one of them"
)]
pub trait IntoScore {
    /// The answer to the host.
    fn into_score(self) -> Result<Score, Error>;
}

impl IntoScore for f64 {
    fn into_score(self) -> Result<Score, Error> {
        Ok(Score::new(self))
    }
}

impl IntoScore for Score {
    fn into_score(self) -> Result<Score, Error> {
        Ok(self)
    }
}

impl<T: IntoScore, E: Display + 'static> IntoScore for Result<T, E> {
    fn into_score(self) -> Result<Score, Error> {
        self.map_err(into_error).and_then(IntoScore::into_score)
    }
}

/// What may be a config.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the config of a metric or prompt generator",
    label = "put `#[difftest_sdk::config]` above its definition"
)]
pub trait Config: serde::de::DeserializeOwned + schemars::JsonSchema {}

impl<T: serde::de::DeserializeOwned + schemars::JsonSchema> Config for T {}

/// Our own error as it is, any other as its text.
pub fn into_error<E: Display + 'static>(error: E) -> Error {
    match (&error as &dyn Any).downcast_ref::<Error>() {
        Some(own) => own.clone(),
        None => Error::other(error),
    }
}

/// The JSON Schema (draft 2020-12) of a config, as text.
#[must_use]
pub fn schema<T: Config>() -> String {
    schemars::schema_for!(T).as_value().to_string()
}

/// Reads a config; empty text is an empty table.
///
/// # Errors
/// [`Error::InvalidConfig`].
pub fn parse_config<T: Config>(text: &str) -> Result<T, Error> {
    serde_json::from_str(if text.trim().is_empty() { "{}" } else { text }).map_err(Error::invalid_config)
}

/// Refuses a config that nothing would read: a misplaced key must not pass unseen.
///
/// # Errors
/// [`Error::InvalidConfig`].
pub fn no_config(text: &str) -> Result<(), Error> {
    let empty = matches!(text.trim(), "" | "null")
        || matches!(serde_json::from_str(text), Ok(serde_json::Value::Object(table)) if table.is_empty());
    if empty { Ok(()) } else { Err(Error::invalid_config("it takes no config")) }
}

/// The error for a name that the plugin does not have.
#[must_use]
pub fn unknown(noun: &str, name: &str, known: &[&str]) -> Error {
    Error::other(format_args!("there is no {noun} `{name}` in this plugin; it has {}", known.join(", ")))
}

/// The prompts `offset .. offset + limit`, finished.
pub fn page<T: Into<Prompt>>(prompts: impl IntoIterator<Item = T>, offset: u32, limit: u32) -> Vec<Prompt> {
    let place = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    prompts.into_iter().skip(place(offset)).take(place(limit)).map(|prompt| prompt.into().finished()).collect()
}

/// Exports the type `$plugin` from the component, through the interface that the module `$module` of the glue was generated
/// for; nothing on other targets.
#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($module:ident $plugin:ident) => {
        #[allow(unsafe_code)]
        const _: () = {
            type Component = $crate::bindings::Exported<$plugin>;
    $crate::bindings::$module::export!(Component with_types_in $crate::bindings::$module);
        };
    };
}

/// Leaves the name and version of the author's package in the component, in the custom section that `wit/README.md`
/// describes. The linker joins the sections of a `metrics!` and a `prompts!` block, hence whole lines.
#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[macro_export]
macro_rules! __package {
    () => {
        #[allow(unsafe_code)]
        const _: () = {
            const TEXT: &str =
                ::core::concat!(::core::env!("CARGO_PKG_NAME"), " ", ::core::env!("CARGO_PKG_VERSION"), "\n");
            #[used]
            #[unsafe(link_section = "difftest:package")]
            static PACKAGE: [u8; TEXT.len()] = $crate::__private::bytes(TEXT);
        };
    };
}

/// The bytes of a text, in a constant.
///
/// # Panics
/// When the lengths differ; only at compile time.
#[must_use]
pub const fn bytes<const N: usize>(text: &str) -> [u8; N] {
    match text.as_bytes().first_chunk() {
        Some(bytes) => *bytes,
        None => panic!("the text is shorter than the array"),
    }
}

/// Exports nothing: this is no WebAssembly.
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($module:ident $plugin:ident) => {};
}

/// Leaves nothing: this is no WebAssembly.
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __package {
    () => {};
}
