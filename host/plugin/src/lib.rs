//! difftest-plugin
