//! difftest-report
