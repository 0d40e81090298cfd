//! torch-compatible normal noise.
