//! The HTML report: as text, within its budget, and in a real Chromium.
#![allow(clippy::unwrap_used, unreachable_pub, missing_docs)]

mod browser;
mod budget;
mod driver;
mod gallery;
mod page;
mod paired;
