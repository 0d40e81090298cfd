//! Scores by prompt.

use std::collections::HashMap;

use super::mean;

/// Values grouped by prompt; prompts in the order of their first value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ByPrompt {
    ids: Vec<String>,
    values: Vec<Vec<f64>>,
}

/// Variance components of a one-way random effects model, and how alike the images of a prompt are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Components {
    /// Between prompts.
    pub prompt: f64,
    /// Between the seeds of a prompt.
    pub seed: f64,
}

impl ByPrompt {
    /// Groups `(prompt id, value)`.
    pub fn of<'a>(values: impl IntoIterator<Item = (&'a str, f64)>) -> Self {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut grouped = Self::default();
        for (id, value) in values {
            let place = *places.entry(id).or_insert_with(|| {
                grouped.ids.push(id.to_owned());
                grouped.values.push(Vec::new());
                grouped.ids.len() - 1
            });
            grouped.values[place].push(value);
        }
        grouped
    }

    /// The prompts.
    #[must_use]
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// How many prompts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// How many values there are.
    #[must_use]
    pub fn images(&self) -> usize {
        self.values.iter().map(Vec::len).sum()
    }

    /// The mean of each prompt.
    #[must_use]
    pub fn means(&self) -> Vec<f64> {
        self.values.iter().map(|values| mean(values)).collect()
    }

    /// Variance between prompts and between the seeds of a prompt, by the method of moments (ANOVA); a negative estimate is 0. `None`
    /// without two prompts, and where no prompt has two values.
    #[must_use]
    pub fn components(&self) -> Option<Components> {
        let (prompts, images) = (self.len() as f64, self.images() as f64);
        if self.len() < 2 || self.images() == self.len() {
            return None;
        }
        let grand = self.values.iter().flatten().sum::<f64>() / images;
        let (mut between, mut within) = (0.0, 0.0);
        for values in &self.values {
            let mean = mean(values);
            between += values.len() as f64 * (mean - grand).powi(2);
            within += values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        }
        let (between, seed) = (between / (prompts - 1.0), within / (images - prompts));
        // As many as there would be, were they the same number for each prompt.
        let squares: f64 = self.values.iter().map(|values| (values.len() as f64).powi(2)).sum();
        let seeds = (images - squares / images) / (prompts - 1.0);
        Some(Components { prompt: ((between - seed) / seeds).max(0.0), seed })
    }

    /// How many independent images tell as much about a mean as these do: n / (1 + (m - 1) ICC), with m images for a prompt and the
    /// intraclass correlation of [`ByPrompt::components`] (Kish 1965). Where nothing varies, the number of prompts: then nothing
    /// says that images of one prompt differ at all.
    #[must_use]
    pub fn effective_images(&self) -> f64 {
        let images = self.images() as f64;
        let Some(Components { prompt, seed }) = self.components() else { return self.len() as f64 };
        let correlation = if prompt + seed > 0.0 { prompt / (prompt + seed) } else { 1.0 };
        let squares: f64 = self.values.iter().map(|values| (values.len() as f64).powi(2)).sum();
        let effect = 1.0 + (squares / images - 1.0) * correlation;
        images / effect
    }
}
