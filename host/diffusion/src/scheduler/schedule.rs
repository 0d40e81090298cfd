//! What all schedulers share: the training noise schedule, and which of its timesteps are visited.
//!
//! Precisions are diffusers': tables in `f32` with the products accumulated in `f64`, timesteps and interpolation in `f64`.

use super::SchedulerError;
use super::fields::Fields;

/// What the network predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prediction {
    Epsilon,
    V,
    Sample,
}

/// Which training timesteps are visited (table 2 of Lin et al. 2305.08891).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spacing {
    Linspace,
    Leading,
    Trailing,
}

/// The noise schedule of the training.
pub(super) struct Training {
    /// How many timesteps there are.
    pub(super) len: usize,
    /// Cumulative products of `1 - beta`, `[len]`, from the least noisy timestep on.
    pub(super) alphas_cumprod: Vec<f32>,
    pub(super) prediction: Prediction,
    /// The last timestep is noise alone: its `alphas_cumprod` is 0.
    pub(super) zero_snr: bool,
}

impl Training {
    pub(super) fn read(fields: &Fields) -> Result<Self, SchedulerError> {
        let len = fields.whole("num_train_timesteps")?;
        let mut betas = betas(fields, len)?;
        let usable = |beta: &f32| (0.0..1.0).contains(beta);
        if !betas.iter().all(usable) || betas[0] == 0.0 {
            let starts_well = fields.number("beta_start").is_ok_and(|start| start > 0.0 && start < 1.0);
            let key = match fields.get("trained_betas") {
                Some(_) => "trained_betas",
                None if starts_well => "beta_end",
                None => "beta_start",
            };
            return Err(fields.refuse(key, "betas that start above 0 and stay below 1"));
        }
        if len < 2 {
            return Err(fields.refuse("num_train_timesteps", "2 or more"));
        }
        let zero_snr = fields.get("rescale_betas_zero_snr").is_some() && fields.flag("rescale_betas_zero_snr")?;
        if zero_snr {
            betas = rescale_zero_terminal_snr(&betas);
        }
        let predictions =
            [("epsilon", Prediction::Epsilon), ("v_prediction", Prediction::V), ("sample", Prediction::Sample)];
        Ok(Self {
            len,
            alphas_cumprod: cumprod(betas.iter().map(|beta| 1.0 - beta)),
            prediction: fields.choice("prediction_type", &predictions)?,
            zero_snr,
        })
    }

    /// `alphas_cumprod` at a timestep.
    pub(super) fn alpha(&self, timestep: usize) -> Result<f32, SchedulerError> {
        let beyond = SchedulerError::BeyondTraining { timestep: timestep as f64, train: self.len };
        self.alphas_cumprod.get(timestep).copied().ok_or(beyond)
    }

    /// `alphas_cumprod` with something close to 0 instead of a 0 at the end, so that its sigma is finite.
    pub(super) fn finite_alphas(&self) -> Vec<f32> {
        let mut alphas = self.alphas_cumprod.clone();
        if let Some(last) = alphas.last_mut().filter(|_| self.zero_snr) {
            *last = 2.0_f32.powi(-24);
        }
        alphas
    }

    /// `((1 - a) / a)^(1/2)` of each timestep, in `f32`.
    pub(super) fn sigmas(&self) -> Vec<f32> {
        self.finite_alphas().iter().map(|a| ((1.0 - a) / a).sqrt()).collect()
    }
}

/// Reads `timestep_spacing`.
pub(super) fn spacing(fields: &Fields) -> Result<Spacing, SchedulerError> {
    let spacings = [("linspace", Spacing::Linspace), ("leading", Spacing::Leading), ("trailing", Spacing::Trailing)];
    fields.choice("timestep_spacing", &spacings)
}

fn betas(fields: &Fields, len: usize) -> Result<Vec<f32>, SchedulerError> {
    if let Some(list) = fields.get("trained_betas").and_then(|value| value.as_array()) {
        let betas: Vec<f32> = list.iter().filter_map(|x| x.as_f64().map(|x| x as f32)).collect();
        let wanted = || format!("{}, the number of trained_betas", betas.len());
        return if betas.len() == len { Ok(betas) } else { Err(fields.refuse("num_train_timesteps", wanted())) };
    }
    let (start, end) = (fields.number("beta_start")?, fields.number("beta_end")?);
    let schedules = ["linear", "scaled_linear", "squaredcos_cap_v2"].map(|name| (name, name));
    Ok(match fields.choice("beta_schedule", &schedules)? {
        "linear" => linspace32(start as f32, end as f32, len),
        "scaled_linear" => {
            linspace32(start.sqrt() as f32, end.sqrt() as f32, len).iter().map(|root| root * root).collect()
        }
        _ => {
            let alpha_bar = |t: f64| ((t + 0.008) / 1.008 * std::f64::consts::PI / 2.0).cos().powi(2);
            let at = |i: usize| alpha_bar(i as f64 / len as f64);
            (0..len).map(|i| (1.0 - at(i + 1) / at(i)).min(0.999) as f32).collect()
        }
    })
}

/// torch's `linspace`: from both ends towards the middle, in `f32`, with fused multiplication and addition.
pub(super) fn linspace32(start: f32, end: f32, n: usize) -> Vec<f32> {
    let step = (end - start) / n.saturating_sub(1).max(1) as f32;
    let value = |i: usize| {
        if i < n / 2 { step.mul_add(i as f32, start) } else { (-step).mul_add((n - 1 - i) as f32, end) }
    };
    (0..n).map(value).collect()
}

/// torch's `cumprod` of `f32`: accumulated in `f64`, each product stored as `f32`.
fn cumprod(alphas: impl Iterator<Item = f32>) -> Vec<f32> {
    alphas
        .scan(1.0_f64, |product, alpha| {
            *product *= f64::from(alpha);
            Some(*product as f32)
        })
        .collect()
}

/// Betas whose last timestep is noise alone (algorithm 1 of Lin et al.).
fn rescale_zero_terminal_snr(betas: &[f32]) -> Vec<f32> {
    let mut roots: Vec<f32> = cumprod(betas.iter().map(|beta| 1.0 - beta)).iter().map(|a| a.sqrt()).collect();
    let (Some(&first), Some(&last)) = (roots.first(), roots.last()) else { return Vec::new() };
    let factor = first / (first - last);
    roots.iter_mut().for_each(|root| *root = (*root - last) * factor);
    let bars: Vec<f32> = roots.iter().map(|root| root * root).collect();
    let ratios = bars.windows(2).map(|pair| pair[1] / pair[0]);
    bars.iter().take(1).copied().chain(ratios).map(|alpha| 1.0 - alpha).collect()
}

/// The visited timesteps in descending order, before any rounding that a scheduler adds to `linspace`.
pub(super) fn timesteps(spacing: Spacing, train: usize, steps: usize, offset: usize) -> Vec<f64> {
    match spacing {
        Spacing::Linspace => {
            let mut ascending = linspace64(0.0, train as f64 - 1.0, steps);
            ascending.reverse();
            ascending
        }
        Spacing::Leading => {
            let ratio = train / steps;
            (0..steps).rev().map(|i| (i * ratio + offset) as f64).collect()
        }
        Spacing::Trailing => trailing(train, train as f64 / steps as f64),
    }
}

/// NumPy's `arange(start, 0, -ratio)`, rounded, less one.
///
/// For 62 of the numbers of steps up to 1000 (61, 103, 121, ...) rounding gives `arange` one value more, which would become
/// timestep -1. diffusers hands it to the network; it is left out here.
pub(super) fn trailing(start: usize, ratio: f64) -> Vec<f64> {
    let start = start as f64;
    // the step that arange takes is the difference of its first two values
    let step = (start - ratio) - start;
    let values = (0..(start / ratio).ceil() as usize).map(|i| (start + i as f64 * step).round_ties_even() - 1.0);
    values.filter(|t| *t >= 0.0).collect()
}

/// NumPy's `linspace`: the last value is exactly `end`, and a single value is `start`.
pub(super) fn linspace64(start: f64, end: f64, n: usize) -> Vec<f64> {
    let step = (end - start) / n.saturating_sub(1).max(1) as f64;
    (0..n).map(|i| if n > 1 && i == n - 1 { end } else { i as f64 * step + start }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_timesteps_are_as_many_as_steps_and_never_negative() {
        for steps in 1..=1000 {
            let visited = timesteps(Spacing::Trailing, 1000, steps, 0);
            assert_eq!((visited.len(), visited[0]), (steps, 999.0));
            assert!(visited.windows(2).all(|pair| pair[0] > pair[1]) && visited[steps - 1] >= 0.0, "{steps}");
        }
    }
}
