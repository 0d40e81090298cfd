//! difftest-run
