//! Typed calls of the networks.
