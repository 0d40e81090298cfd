//! Every image against every other.

use crate::rows::Rows;

/// What looking at all pairs shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nearest {
    /// Images with another one near.
    pub with_neighbour: usize,
    /// Pairs of images that are near each other.
    pub pairs: usize,
    /// The pair with the smallest distance, the first of them in the order of the set.
    pub closest: Pair,
}

/// Two images by their places in the set, from 0, and `1 - cosine`, 0 to 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The smaller place.
    pub first: usize,
    /// The larger place.
    pub second: usize,
    /// From 0 to 2.
    pub distance: f64,
}

impl Nearest {
    /// Of all pairs, `n (n - 1) / 2` scalar products; near is a distance of `within` or less.
    #[must_use]
    pub fn of(rows: &Rows, within: f64) -> Self {
        let mut near = vec![false; rows.len()];
        let mut pairs = 0;
        let mut closest = Pair { first: 0, second: 0, distance: f64::INFINITY };
        for (first, a) in rows.iter().enumerate() {
            for (second, b) in rows.iter().enumerate().skip(first + 1) {
                let distance = (1.0 - dot(a, b)).clamp(0.0, 2.0);
                if distance < closest.distance {
                    closest = Pair { first, second, distance };
                }
                if distance <= within {
                    pairs += 1;
                    near[first] = true;
                    near[second] = true;
                }
            }
        }
        Self { with_neighbour: near.iter().filter(|&&near| near).count(), pairs, closest }
    }
}

/// In eight sums side by side, which are four registers of two.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0_f64; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}
