//! {{name}}: what `difftest plugin new` wrote. Change the function, rename it, add more: each function of the block is a
//! prompt generator.

difftest_sdk::prompts! {
    /// Things in places, drawn by the seed.
    fn things(config: &Things, seed: u64) -> Vec<Prompt> {
        let mut random = Random::new(seed);
        (0..config.count)
            .map(|number| {
                let place = random.choose(&PLACES).copied().unwrap_or("on a table");
                // An id stays the same as long as the prompt means the same: history and baselines hang on it.
                Prompt::new(format!("{} {place}", config.thing)).id(format!("{number}")).attribute("place", place)
            })
            .collect()
    }

    struct Things {
        /// What there is.
        #[config(default = "a red ball")]
        thing: String,
        /// How many prompts.
        #[config(default = 10)]
        count: u32,
    }
}

const PLACES: [&str; 4] = ["on a table", "in a garden", "under a tree", "beside a cat"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_the_same_prompts_again() {
        let config = Things { thing: "a cup".into(), count: 5 };
        assert_eq!(things(&config, 7), things(&config, 7));
        assert!(things(&config, 7).iter().all(|prompt| prompt.text.starts_with("a cup ")));
    }
}
