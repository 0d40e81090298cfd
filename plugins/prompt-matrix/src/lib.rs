//! Prompts from templates and lists of values; see the README for the config.
//!
//! `config -> matrix -> prompts`: [`config`] is the table as written, [`matrix`] checks it and numbers its combinations
//! (with [`template`], [`lists`], [`id`]), and walks them in order or, with [`draw`], in the order of a seed.

pub mod config;
pub mod draw;
pub mod id;
pub mod lists;
pub mod matrix;
pub mod template;

use config::Config;
use matrix::Matrix;

difftest_sdk::prompts! {
    /// Every combination of a template's variables, or a seeded sample of them.
    pub fn prompt_matrix(config: &Config, seed: u64) -> Result<Box<dyn Iterator<Item = Prompt>>, Error> {
        let matrix = Matrix::new(config)?;
        Ok(match config.sample {
            Some(count) => Box::new(matrix.sample(count, seed)?),
            None => Box::new(matrix.product()),
        })
    }
}
