//! Text to image: prompt, noise, denoising, decoding.
