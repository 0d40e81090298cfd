//! Which timesteps and noise levels the solver visits.

use crate::scheduler::SchedulerError;
use crate::scheduler::fields::Fields;
use crate::scheduler::schedule::{self, Spacing, Training};
use crate::scheduler::sigmas::{self, Layout};

/// The timesteps, whole numbers from the noisiest down, and the noise levels: one more, the last being where the image is.
pub(super) fn visited(
    fields: &Fields,
    training: &Training,
    steps: usize,
) -> Result<(Vec<i64>, Vec<f32>), SchedulerError> {
    let trained = training.sigmas();
    let mut timesteps = spaced(fields, training, steps)?;
    let mut exact: Vec<f64> = timesteps.iter().map(|&t| sigmas::interpolate(t as f64, &trained)).collect();
    if let Some(layout) = Layout::read(fields)? {
        // between the ends of the whole training range, whichever timesteps the spacing would visit
        let logs = sigmas::logs(&trained);
        let ends = |values: &[f32]| (f64::from(values[0]), f64::from(values[values.len() - 1]));
        exact = if layout == Layout::Lu {
            // between logarithms as they are rounded in the table, so that the ends fall on the timesteps there
            let (low, high) = ends(&logs);
            sigmas::even_in_logarithm(low, high, steps)
        } else {
            let (low, high) = ends(&trained);
            let (low, high) = sigmas::ends(fields, low, high)?;
            layout.sigmas(low, high, steps)
        };
        let cosine = fields.get("beta_schedule").is_some_and(|schedule| schedule == "squaredcos_cap_v2");
        let rounded = matches!(layout, Layout::Karras | Layout::Lu) && !cosine;
        let timestep = |&sigma: &f64| {
            let t = sigmas::timestep(sigma, &logs);
            if rounded { t.round_ties_even() as i64 } else { t as i64 }
        };
        timesteps = exact.iter().map(timestep).collect();
    }
    let mut sigmas: Vec<f32> = exact.into_iter().map(|sigma| sigma as f32).collect();
    sigmas.push(if sigmas::ends_at_lowest(fields)? { trained[0] } else { 0.0 });
    Ok((timesteps, sigmas))
}

/// The timesteps by `timestep_spacing`: unlike other schedulers', `linspace` and `leading` lay out one point more than there
/// are steps and leave the last out.
fn spaced(fields: &Fields, training: &Training, steps: usize) -> Result<Vec<i64>, SchedulerError> {
    let last = training.len - clipped(fields, training)?;
    let points = match schedule::spacing(fields)? {
        Spacing::Linspace => {
            let mut points = schedule::linspace64(0.0, last as f64 - 1.0, steps + 1);
            points.reverse();
            points.truncate(steps);
            points
        }
        Spacing::Leading => {
            let (ratio, offset) = (last / (steps + 1), fields.whole("steps_offset")?);
            (1..=steps).rev().map(|i| (i * ratio + offset) as f64).collect()
        }
        Spacing::Trailing => schedule::trailing(last, training.len as f64 / steps as f64),
    };
    Ok(points.into_iter().map(|t| t.round_ties_even() as i64).collect())
}

/// How many of the noisiest timesteps are left out: those whose lambda is below `lambda_min_clipped`.
fn clipped(fields: &Fields, training: &Training) -> Result<usize, SchedulerError> {
    let key = "lambda_min_clipped";
    let Some(least) = fields.get(key).and_then(serde_json::Value::as_f64).map(|least| least as f32) else {
        return Ok(0);
    };
    let lambda = |alpha: f32| alpha.sqrt().ln() - (1.0 - alpha).sqrt().ln();
    let clipped = training.finite_alphas().iter().rev().take_while(|alpha| lambda(**alpha) < least).count();
    if clipped == training.len {
        Err(fields.refuse(key, "a number below that of the least noisy timestep"))
    } else {
        Ok(clipped)
    }
}
