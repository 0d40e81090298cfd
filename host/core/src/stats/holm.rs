//! Many p-values.

/// Holm's adjusted p-values, in the order given: each that lies below a level can be claimed at that level together with all others.
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![0.0; p.len()];
    let mut most = 0.0_f64;
    for (rank, &index) in order.iter().enumerate() {
        most = most.max((p.len() - rank) as f64 * p[index]).min(1.0);
        adjusted[index] = most;
    }
    adjusted
}
