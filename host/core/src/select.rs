//! The `-k` language.
