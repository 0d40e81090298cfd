//! prompt-matrix
