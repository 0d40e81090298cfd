//! difftest-store
