//! difftest-core
