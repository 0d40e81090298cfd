//! The CLIP score: cosine of a prompt and an image in CLIP space.
