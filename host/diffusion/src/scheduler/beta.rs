//! Quantiles of the beta distribution with both parameters 0.6, the one that beta noise levels use.

/// Both parameters.
const A: f64 = 0.6;
/// The beta function of them, Gamma(0.6)^2 / Gamma(1.2).
const COMPLETE: f64 = 2.415_344_208_002_472;

/// The `x` below which `probability` of the distribution lies, within 1e-14 (SciPy's `beta.ppf(probability, 0.6, 0.6)`).
pub(super) fn quantile(probability: f64) -> f64 {
    if probability > 0.5 {
        // the distribution is symmetric
        return 1.0 - quantile(1.0 - probability);
    }
    if probability <= 0.0 {
        return 0.0;
    }
    // Newton's method, kept inside an interval that shrinks; the density is convex below 1/2, but infinite at 0
    let (mut low, mut high) = (0.0, 0.5);
    // what the first term of the series alone would give
    let mut x = (probability * A * COMPLETE).powf(1.0 / A).min(0.5);
    for _ in 0..100 {
        let excess = cumulative(x) - probability;
        if excess > 0.0 {
            high = x
        } else {
            low = x
        }
        let density = (x * (1.0 - x)).powf(A - 1.0) / COMPLETE;
        let newton = x - excess / density;
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        if (next - x).abs() <= 1e-16 * x {
            return next;
        }
        x = next;
    }
    x
}

/// The regularised incomplete beta function for `0 < x <= 1/2`, by its power series (DLMF 8.17.7): the terms shrink faster
/// than `x^n`.
fn cumulative(x: f64) -> f64 {
    let (mut factor, mut sum) = (1.0, 1.0 / A);
    for n in 1..=60 {
        let n = f64::from(n);
        factor *= (n - A) / n * x;
        sum += factor / (A + n);
    }
    x.powf(A) * sum / COMPLETE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_scipys() {
        // scipy.stats.beta.ppf(p, 0.6, 0.6), SciPy 1.17
        for (p, expected) in QUANTILES {
            assert!((quantile(p) - expected).abs() <= 1e-14, "{p}: {} for {expected}", quantile(p));
        }
    }

    #[test]
    fn quantiles_undo_the_distribution() {
        assert_eq!((quantile(0.0), quantile(1.0)), (0.0, 1.0));
        let mut last = 0.0;
        for i in 1..=5000 {
            let p = f64::from(i) / 10_000.0;
            let x = quantile(p);
            assert!(x > last && (cumulative(x) - p).abs() < 1e-14, "{p}");
            assert!((quantile(1.0 - p) - (1.0 - x)).abs() < 1e-14, "{p}");
            last = x;
        }
    }

    const QUANTILES: [(f64, f64); 14] = [
        (1e-6, 1.8558824624053043e-10),
        (0.001, 1.855873851745199e-5),
        (0.01, 0.0008612388215429059),
        (0.05, 0.012554456873611399),
        (0.1, 0.03958440558878085),
        (0.25, 0.17568037865269498),
        (1.0 / 3.0, 0.2754132907776234),
        (0.4, 0.3627009907532143),
        (0.5, 0.5),
        (0.6, 0.6372990092467856),
        (0.75, 0.824319621347305),
        (0.9, 0.9604155944112192),
        (0.99, 0.9991387611784571),
        (0.999, 0.9999814412614826),
    ];
}
