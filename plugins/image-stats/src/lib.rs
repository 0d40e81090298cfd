//! image-stats
