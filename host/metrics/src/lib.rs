//! Pixel arithmetic that difftest's scores rest on, equal to the reference implementations bit for bit.
//!
//! Everything takes and gives [`difftest_core::image::Image`] (8-bit sRGB, three interleaved channels), is pure but for
//! [`decode::read`], and returns the same bits on every machine: sums are integers, transcendental functions are our own.
//!
//! | module | holds |
//! |---|---|
//! | [`resize`] | Pillow's 8-bit resampling |
//! | [`luma`] | Pillow's `L`, BT.601 |
//! | [`clip_preprocess`] | an image as CLIP's vision tower wants it, as configured by `preprocessor_config.json` |
//! | [`decode`] | PNG, JPEG and WebP files to pixels, within limits |
//! | [`encode`] | pixels to PNG, the same bytes for the same pixels |
//! | [`visual`] | an image beside its baseline: the tiers of visual regression, diff image and heat map |
//! | [`memory`] | how a program keeps what one image frees for the next |

pub mod clip_preprocess;
pub mod decode;
pub mod encode;
pub mod luma;
pub mod memory;
pub mod resize;
pub mod visual;
