//! The difftest command.
fn main() {}
