//! Network graphs from component configs.
