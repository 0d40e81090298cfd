//! Morphological opening with a 3x3 square: what is narrower than three pixels disappears, the rest keeps its extent.
//!
//! Where red meets blue, smoothing leaves a seam of purple pixels one or two wide. Opening the membership plane takes such
//! seams out, so that only colours that fill an area count. Equal to `scipy.ndimage.grey_opening(plane, size=(3, 3))`.

/// Opens a `width` wide plane of 8-bit values, row-major; neighbours outside it do not count.
#[must_use]
pub fn open(plane: &[u8], width: usize) -> Vec<u8> {
    if width == 0 {
        return plane.to_vec();
    }
    let eroded = vertical(&horizontal(plane, width, u8::min), width, u8::min);
    vertical(&horizontal(&eroded, width, u8::max), width, u8::max)
}

/// Each value combined with its left and right neighbour.
#[inline(always)]
fn horizontal(plane: &[u8], width: usize, combine: impl Fn(u8, u8) -> u8) -> Vec<u8> {
    let mut out = plane.to_vec();
    for (target, row) in out.chunks_exact_mut(width).zip(plane.chunks_exact(width)) {
        merge(&mut target[1..], &row[..width - 1], &combine);
        merge(&mut target[..width - 1], &row[1..], &combine);
    }
    out
}

/// Each value combined with the one above and the one below.
#[inline(always)]
fn vertical(plane: &[u8], width: usize, combine: impl Fn(u8, u8) -> u8) -> Vec<u8> {
    let mut out = plane.to_vec();
    let shift = width.min(plane.len());
    let rest = plane.len() - shift;
    merge(&mut out[shift..], &plane[..rest], &combine);
    merge(&mut out[..rest], &plane[shift..], &combine);
    out
}

#[inline(always)]
fn merge(target: &mut [u8], other: &[u8], combine: &impl Fn(u8, u8) -> u8) {
    for (value, &neighbour) in target.iter_mut().zip(other) {
        *value = combine(*value, neighbour);
    }
}
