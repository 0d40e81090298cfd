//! Whether the colours that a prompt names are in the image; see the README for the method.
//!
//! `prompt -> terms -> share of the image per term -> score`. One file per arrow: [`terms`] knows the words and the
//! regions of CIELAB, [`share`] counts (with [`lab`] and [`opening`]), [`score`] combines.

pub mod lab;
pub mod opening;
pub mod score;
pub mod share;
pub mod terms;
