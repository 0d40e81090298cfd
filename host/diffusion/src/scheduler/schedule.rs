//! What all schedulers share: the training noise schedule, and which of its timesteps are visited.
//!
//! Precisions are diffusers': tables in `f32` with the products accumulated in `f64`, timesteps and interpolation in `f64`.

use super::config::{BetaSchedule, SchedulerConfig, Spacing};

/// Cumulative products of `1 - beta`, `[num_train_timesteps]`, from the least noisy timestep on.
pub(super) fn alphas_cumprod(config: &SchedulerConfig) -> Vec<f32> {
    let mut betas = betas(config);
    if config.rescale_betas_zero_snr {
        betas = rescale_zero_terminal_snr(&betas);
    }
    cumprod(betas.iter().map(|beta| 1.0 - beta))
}

fn betas(config: &SchedulerConfig) -> Vec<f32> {
    let n = config.num_train_timesteps;
    match &config.betas {
        BetaSchedule::Linear { start, end } => linspace32(*start as f32, *end as f32, n),
        BetaSchedule::ScaledLinear { start, end } => {
            linspace32(start.sqrt() as f32, end.sqrt() as f32, n).iter().map(|root| root * root).collect()
        }
        BetaSchedule::SquaredCosine => {
            let alpha_bar = |t: f64| ((t + 0.008) / 1.008 * std::f64::consts::PI / 2.0).cos().powi(2);
            let at = |i: usize| alpha_bar(i as f64 / n as f64);
            (0..n).map(|i| (1.0 - at(i + 1) / at(i)).min(0.999) as f32).collect()
        }
        BetaSchedule::Trained(betas) => betas.clone(),
    }
}

/// torch's `linspace`: from both ends towards the middle, in `f32`, with fused multiplication and addition.
fn linspace32(start: f32, end: f32, n: usize) -> Vec<f32> {
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

/// Algorithm 1 of Lin et al. (2305.08891): shifts and scales so that the last step is pure noise.
fn rescale_zero_terminal_snr(betas: &[f32]) -> Vec<f32> {
    let mut roots: Vec<f32> = cumprod(betas.iter().map(|beta| 1.0 - beta)).iter().map(|a| a.sqrt()).collect();
    let (Some(&first), Some(&last)) = (roots.first(), roots.last()) else { return Vec::new() };
    let factor = first / (first - last);
    roots.iter_mut().for_each(|root| *root = (*root - last) * factor);
    let bars: Vec<f32> = roots.iter().map(|root| root * root).collect();
    let ratios = bars.windows(2).map(|pair| pair[1] / pair[0]);
    bars.iter().take(1).copied().chain(ratios).map(|alpha| 1.0 - alpha).collect()
}

/// `((1 - a) / a)^(1/2)` for each, in `f32`.
pub(super) fn sigmas(alphas_cumprod: &[f32]) -> Vec<f32> {
    alphas_cumprod.iter().map(|a| ((1.0 - a) / a).sqrt()).collect()
}

/// The visited timesteps in descending order, before any rounding that a scheduler adds to `linspace`.
pub(super) fn timesteps(spacing: Spacing, train: usize, steps: usize, offset: u32) -> Vec<f64> {
    match spacing {
        Spacing::Linspace => {
            let mut ascending = linspace64(0.0, train as f64 - 1.0, steps);
            ascending.reverse();
            ascending
        }
        Spacing::Leading => {
            let ratio = train / steps;
            (0..steps).rev().map(|i| (i * ratio) as f64 + f64::from(offset)).collect()
        }
        Spacing::Trailing => {
            // NumPy's arange: the step it takes is the difference of its first two values
            let start = train as f64;
            let step = (start - start / steps as f64) - start;
            (0..steps).map(|i| (start + i as f64 * step).round_ties_even() - 1.0).collect()
        }
    }
}

/// NumPy's `linspace`: the last value is exactly `end`, and a single value is `start`.
pub(super) fn linspace64(start: f64, end: f64, n: usize) -> Vec<f64> {
    let step = (end - start) / n.saturating_sub(1).max(1) as f64;
    (0..n).map(|i| if n > 1 && i == n - 1 { end } else { i as f64 * step + start }).collect()
}

/// NumPy's `interp` over `0, 1, 2, ...`: linear between, constant beyond the ends.
pub(super) fn interpolate(x: f64, values: &[f32]) -> f64 {
    let last = values.len() - 1;
    if x <= 0.0 {
        return f64::from(values[0]);
    }
    if x >= last as f64 {
        return f64::from(values[last]);
    }
    let low = x as usize;
    let (a, b) = (f64::from(values[low]), f64::from(values[low + 1]));
    (b - a) * (x - low as f64) + a
}
