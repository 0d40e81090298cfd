//! color-words
