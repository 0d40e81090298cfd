//! The client against a hub on the loopback interface that speaks the real API over real connections.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod faults;
mod fetching;
mod python;
mod refusals;
mod secrets;
mod sharing;
mod support;
