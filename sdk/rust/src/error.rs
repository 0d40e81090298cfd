//! Why there is no score and no prompt.

use std::fmt;

/// An error of the run: the case or test it belongs to has no result, and never counts as a failed threshold.
///
/// It does not implement [`std::error::Error`] so that `?` can turn every type that does into [`Error::Other`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The config passed the schema and still makes no sense.
    InvalidConfig(String),
    /// There is no answer for this input, such as an image that is too small.
    UnsupportedInput(String),
    /// The suite declares no model of that name.
    ModelNotFound(String),
    /// Anything else.
    Other(String),
}

impl Error {
    /// The config passed the schema and still makes no sense. Say which key, and what it may be.
    pub fn invalid_config(message: impl fmt::Display) -> Self {
        Self::InvalidConfig(message.to_string())
    }

    /// There is no answer for this input. Say what would be a good one.
    pub fn unsupported_input(message: impl fmt::Display) -> Self {
        Self::UnsupportedInput(message.to_string())
    }

    /// Anything else.
    pub fn other(message: impl fmt::Display) -> Self {
        Self::Other(message.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidConfig(message) => write!(f, "invalid config: {message}"),
            Self::UnsupportedInput(message) => write!(f, "unsupported input: {message}"),
            Self::ModelNotFound(message) => write!(f, "model not found: {message}"),
            Self::Other(message) => f.write_str(message),
        }
    }
}

impl<E: std::error::Error + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        use fmt::Write as _;
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            // Writing to a String cannot fail.
            let _ = write!(message, ": {cause}");
            source = cause.source();
        }
        Self::Other(message)
    }
}
