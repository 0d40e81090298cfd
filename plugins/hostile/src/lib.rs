//! hostile
difftest_sdk::metrics! {
    /// Mean brightness: 0 is black, 1 is white.
    #[metric(range = 0..=1)]
    fn brightness(image: &Image, config: Config) -> f64 {
        let luma = image.luma8();
        luma.iter().map(|&v| f64::from(v)).sum::<f64>() / (255.0 * luma.len() as f64) + config.extra
    }

    struct Config { 
        /// More.
        #[config(default = 0.0)] extra: f64 
    }
}
difftest_sdk::prompts! {
    /// Some.
    fn some(seed: u64) -> Vec<Prompt> { vec![Prompt::new(seed.to_string())] }
}
