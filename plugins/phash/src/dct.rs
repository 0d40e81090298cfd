//! The discrete cosine transform of 32 values, with the bits that SciPy gives.
//!
//! The hash asks which coefficients are above the median. In a flat, symmetric or one-dimensional image most are zero, and so
//! is the median: whether rounding leaves 0 or 1e-13 decides bits. Hence not only the sum is that of
//! `scipy.fftpack.dct(x)` (type 2, not normalised: `2 Σ x_n cos(π k (2n + 1) / 64)`), but also every rounding on the way.
//! SciPy computes it with pocketfft: neighbours are added and subtracted, then comes an inverse real FFT (FFTPACK's, as 2 x 4 x 4),
//! then a rotation of each pair of outputs. The three steps here do the same operations in the same order, without fused
//! multiply-add, as SciPy's packages for x86-64 do. `tests/golden.rs` compares hashes, among them many of such images.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

/// How many values are transformed.
pub const LENGTH: usize = 32;

/// Cosines of `π (k + 1) / 64`. pocketfft multiplies them from two smaller tables; some are an ulp beside the nearest number.
const COSINES: [f64; LENGTH - 1] = [
    0.9987954562051724,
    0.9951847266721969,
    0.989176509964781,
    0.9807852804032304,
    0.970031253194544,
    0.9569403357322088,
    0.9415440651830208,
    0.9238795325112867,
    0.9039892931234433,
    0.881921264348355,
    0.8577286100002721,
    0.8314696123025452,
    0.8032075314806449,
    0.773010453362737,
    0.7409511253549591,
    0.7071067811865475,
    0.6715589548470183,
    0.6343932841636455,
    0.5956993044924332,
    0.5555702330196022,
    0.5141027441932217,
    0.47139673682599753,
    0.42755509343028203,
    0.38268343236508967,
    0.33688985339221994,
    0.2902846772544623,
    0.24298017990326393,
    0.19509032201612825,
    0.14673047445536164,
    0.09801714032956049,
    0.04906767432741799,
];

/// Cosine and sine of `2 π k / 32`, for the radix-2 step.
const ROTATIONS: [(f64, f64); 7] = [
    (0.9807852804032304, 0.19509032201612825),
    (0.9238795325112867, 0.3826834323650898),
    (0.8314696123025452, 0.5555702330196022),
    (0.707_106_781_186_547_5, FRAC_1_SQRT_2),
    (0.5555702330196022, 0.8314696123025452),
    (0.3826834323650898, 0.9238795325112867),
    (0.19509032201612825, 0.9807852804032304),
];

/// All 32 coefficients of `values`.
#[must_use]
pub fn transform(values: [f64; LENGTH]) -> [f64; LENGTH] {
    let mut c = values;
    c[0] *= 2.0;
    c[LENGTH - 1] *= 2.0;
    for k in (1..LENGTH - 1).step_by(2) {
        (c[k], c[k + 1]) = add_and_subtract(c[k + 1], c[k]);
    }
    let mut c = of_ones(&of_fours(&of_sixteens(&c)));
    for k in 1..LENGTH / 2 {
        let mirror = LENGTH - k;
        let (cosine, sine) = (COSINES[k - 1], COSINES[mirror - 1]);
        let sum = cosine * c[mirror] + sine * c[k];
        let difference = cosine * c[k] - sine * c[mirror];
        (c[k], c[mirror]) = (0.5 * (sum + difference), 0.5 * (sum - difference));
    }
    c[LENGTH / 2] *= COSINES[LENGTH / 2 - 1];
    c
}

fn add_and_subtract(a: f64, b: f64) -> (f64, f64) {
    (a + b, a - b)
}

/// `(re, im)` of a complex number turned back by an angle of this cosine and sine.
fn turn((cosine, sine): (f64, f64), re: f64, im: f64) -> (f64, f64) {
    (cosine * re - sine * im, cosine * im + sine * re)
}

/// The first step: radix 2 over two half-complex runs of 16.
fn of_sixteens(c: &[f64; LENGTH]) -> [f64; LENGTH] {
    let mut out = [0.0; LENGTH];
    (out[0], out[16]) = add_and_subtract(c[0], c[31]);
    (out[15], out[31]) = (2.0 * c[15], -2.0 * c[16]);
    for (rotation, i) in ROTATIONS.iter().zip((2..16).step_by(2)) {
        let (re, im, mirror_re, mirror_im) = (c[i - 1], c[i], c[31 - i], c[32 - i]);
        let (difference_re, sum_im);
        (out[i - 1], difference_re) = add_and_subtract(re, mirror_re);
        (sum_im, out[i]) = add_and_subtract(im, mirror_im);
        (out[15 + i], out[16 + i]) = turn(*rotation, difference_re, sum_im);
    }
    out
}

/// The second step: radix 4 over eight half-complex runs of 4, in two groups.
fn of_fours(c: &[f64; LENGTH]) -> [f64; LENGTH] {
    let mut out = [0.0; LENGTH];
    let [first, second, third] = [ROTATIONS[1], ROTATIONS[3], ROTATIONS[5]];
    for group in 0..2 {
        let c = &c[16 * group..][..16];
        // where the outputs of quarter `q` go
        let to = |q: usize| 4 * group + 8 * q;

        let (sum, difference) = add_and_subtract(c[0], c[15]);
        let (middle, centre) = (2.0 * c[7], 2.0 * c[8]);
        (out[to(0)], out[to(2)]) = add_and_subtract(sum, middle);
        (out[to(3)], out[to(1)]) = add_and_subtract(difference, centre);

        let (im_sum, im_difference) = add_and_subtract(c[12], c[4]);
        let (re_sum, re_difference) = add_and_subtract(c[3], c[11]);
        out[to(0) + 3] = re_sum + re_sum;
        out[to(1) + 3] = SQRT_2 * (re_difference - im_sum);
        out[to(2) + 3] = im_difference + im_difference;
        out[to(3) + 3] = -SQRT_2 * (re_difference + im_sum);

        let (a_re, b_re) = add_and_subtract(c[1], c[13]);
        let (b_im, a_im) = add_and_subtract(c[2], c[14]);
        let (d_re, e_im) = add_and_subtract(c[10], c[6]);
        let (e_re, d_im) = add_and_subtract(c[9], c[5]);
        let (re_2, im_2, re_1, re_3, im_1, im_3);
        (out[to(0) + 1], re_2) = add_and_subtract(a_re, e_re);
        (out[to(0) + 2], im_2) = add_and_subtract(a_im, e_im);
        (re_3, re_1) = add_and_subtract(b_re, d_re);
        (im_1, im_3) = add_and_subtract(b_im, d_im);
        (out[to(1) + 1], out[to(1) + 2]) = turn(first, re_1, im_1);
        (out[to(2) + 1], out[to(2) + 2]) = turn(second, re_2, im_2);
        (out[to(3) + 1], out[to(3) + 2]) = turn(third, re_3, im_3);
    }
    out
}

/// The last step: radix 4 over runs of 1, in eight groups.
fn of_ones(c: &[f64; LENGTH]) -> [f64; LENGTH] {
    let mut out = [0.0; LENGTH];
    for (group, c) in c.as_chunks::<4>().0.iter().enumerate() {
        let (sum, difference) = add_and_subtract(c[0], c[3]);
        let (middle, centre) = (2.0 * c[1], 2.0 * c[2]);
        (out[group], out[16 + group]) = add_and_subtract(sum, middle);
        (out[24 + group], out[8 + group]) = add_and_subtract(difference, centre);
    }
    out
}
