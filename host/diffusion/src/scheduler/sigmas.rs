//! Where the noise levels lie: those of the visited timesteps, or laid out anew between the highest and the lowest, with the
//! timestep that belongs to each.

use super::SchedulerError;
use super::beta::quantile;
use super::fields::Fields;
use super::schedule::linspace64;

/// How noise levels are laid out anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Equation 5 of Karras et al. (2206.00364) with rho 7.
    Karras,
    /// Even in the logarithm.
    Exponential,
    /// Quantiles of a beta distribution (2407.12173).
    Beta,
    /// Even in the logarithm of the signal-to-noise ratio (2206.00927); the same levels as
    /// [`Layout::Exponential`], but with timesteps rounded as for [`Layout::Karras`].
    Lu,
}

impl Layout {
    /// The one that is switched on, of those that the class has.
    pub(super) fn read(fields: &Fields) -> Result<Option<Self>, SchedulerError> {
        let on = |key: &str| if fields.get(key).is_some() { fields.flag(key) } else { Ok(false) };
        let switches = [
            ("use_karras_sigmas", Self::Karras),
            ("use_exponential_sigmas", Self::Exponential),
            ("use_beta_sigmas", Self::Beta),
        ];
        let mut chosen = None;
        for (key, layout) in switches {
            if on(key)? && chosen.replace(layout).is_some() {
                return Err(fields.refuse(key, "only one of Karras, exponential and beta sigmas"));
            }
        }
        // diffusers asks for Karras' first, then for Lu's, then for the others
        Ok(if on("use_lu_lambdas")? && chosen != Some(Self::Karras) { Some(Self::Lu) } else { chosen })
    }

    /// `steps` noise levels from `high` down to `low`.
    pub(super) fn sigmas(self, low: f64, high: f64, steps: usize) -> Vec<f64> {
        const RHO: f64 = 7.0;
        let ramp = linspace64(0.0, 1.0, steps).into_iter();
        match self {
            Self::Karras => {
                let (low, high) = (low.powf(1.0 / RHO), high.powf(1.0 / RHO));
                ramp.map(|part| (high + part * (low - high)).powf(RHO)).collect()
            }
            Self::Exponential | Self::Lu => even_in_logarithm(low.ln(), high.ln(), steps),
            Self::Beta => ramp.map(|part| low + quantile(1.0 - part) * (high - low)).collect(),
        }
    }
}

/// `steps` noise levels, given the logarithms of the lowest and the highest.
pub(super) fn even_in_logarithm(low: f64, high: f64, steps: usize) -> Vec<f64> {
    linspace64(high, low, steps).into_iter().map(f64::exp).collect()
}

/// `sigma_min` and `sigma_max` where the settings make them, else what is given.
pub(super) fn ends(fields: &Fields, low: f64, high: f64) -> Result<(f64, f64), SchedulerError> {
    Ok((fields.optional("sigma_min")?.unwrap_or(low), fields.optional("sigma_max")?.unwrap_or(high)))
}

/// Whether the last step ends at the lowest trained noise level instead of at none.
pub(super) fn ends_at_lowest(fields: &Fields) -> Result<bool, SchedulerError> {
    fields.choice("final_sigmas_type", &[("zero", false), ("sigma_min", true)])
}

/// The fractional timestep that a noise level belongs to: linear between the logarithms of the trained ones.
pub(super) fn timestep(sigma: f64, logs: &[f32]) -> f64 {
    let log = sigma.max(1e-10).ln();
    let below = logs.partition_point(|&trained| log >= f64::from(trained));
    let low = below.saturating_sub(1).min(logs.len().saturating_sub(2));
    let high = (low + 1).min(logs.len() - 1);
    let weight = ((f64::from(logs[low]) - log) / f64::from(logs[low] - logs[high])).clamp(0.0, 1.0);
    (1.0 - weight) * low as f64 + weight * high as f64
}

/// Natural logarithms of the trained noise levels.
pub(super) fn logs(trained: &[f32]) -> Vec<f32> {
    trained.iter().map(|sigma| sigma.ln()).collect()
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
