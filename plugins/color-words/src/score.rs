//! From shares to one number.

/// How several named colours make one score.
#[difftest_sdk::config]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// The worst colour decides.
    Min,
    /// All colours weigh the same.
    Mean,
}

/// 0 to 1: a colour is wholly there once it covers `min_area` (above 0, a share of the image), and in proportion below.
/// `None` when there is no colour to judge.
#[must_use]
pub fn score(shares: &[f64], min_area: f64, combine: Combine) -> Option<f64> {
    let present = shares.iter().map(|share| (share / min_area).min(1.0));
    match combine {
        Combine::Min => present.reduce(f64::min),
        Combine::Mean => (!shares.is_empty()).then(|| present.sum::<f64>() / shares.len() as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_is_enough_and_less_counts_in_proportion() {
        assert_eq!(score(&[0.5, 0.01], 0.02, Combine::Min), Some(0.5));
        assert_eq!(score(&[0.5, 0.01], 0.02, Combine::Mean), Some(0.75));
        assert_eq!(score(&[0.0], 0.02, Combine::Min), Some(0.0));
        assert_eq!(score(&[], 0.02, Combine::Min), None);
        assert_eq!(score(&[], 0.02, Combine::Mean), None);
    }
}
