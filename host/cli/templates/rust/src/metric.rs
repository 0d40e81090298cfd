//! {{name}}: what `difftest plugin new` wrote. Change the function, rename it, add more: each function of the block is a metric.

difftest_sdk::metrics! {
    /// Share of pixels that are brighter than `above`: 0 is none, 1 is all.
    #[metric(range = 0.0..=1.0)]
    fn bright_share(image: &Image, config: &Brightness) -> f64 {
        let luma = image.luma8();
        let bright = luma.iter().filter(|&&level| level > config.above).count();
        bright as f64 / luma.len() as f64
    }

    struct Brightness {
        /// Grey level, 0 to 255.
        #[config(default = 127)]
        above: u8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_chessboard_is_bright() {
        let board = Image::from_rgb8(2, 1, [0, 0, 0, 255, 255, 255]);
        assert_eq!(bright_share(&board, &Brightness { above: 127 }), 0.5);
    }
}
