//! difftest-metrics
