//! Variance of the Laplacian: how much fine detail an image has.
//!
//! The kernel is the 4-neighbour one, `[[0, 1, 0], [1, -4, 1], [0, 1, 0]]`, and outside pixels repeat the edge
//! (`scipy.ndimage` calls that mode `reflect`). With that border every difference between two neighbours enters the sum
//! over the image once with each sign, so the mean of the Laplacian is exactly 0 and its variance is the mean square:
//! one pass of integers.

/// Pixels per block: the squares of 512 of the largest responses, 4 x 255, fit `i32`, and 512 responses stay near the
/// processor.
const BLOCK: usize = 512;

/// Σ (Laplacian)² over a `width` wide plane of 8-bit values, row-major; values outside repeat the edge.
///
/// A plane whose length is no multiple of `width` loses the incomplete last row.
#[must_use]
pub fn energy(plane: &[u8], width: usize) -> u64 {
    if width == 0 {
        return 0;
    }
    let mut rows = plane.chunks_exact(width);
    let Some(first) = rows.next() else { return 0 };
    let (mut above, mut row) = (first, first);
    let mut total = 0;
    for below in rows {
        total += row_energy(above, row, below);
        (above, row) = (row, below);
    }
    total + row_energy(above, row, row)
}

/// Σ (Laplacian)² over one row, given its neighbours of the same length.
fn row_energy(above: &[u8], row: &[u8], below: &[u8]) -> u64 {
    let last = row.len() - 1;
    let edge = |x: usize| {
        let horizontal = i64::from(row[x.saturating_sub(1)]) + i64::from(row[(x + 1).min(last)]);
        let vertical = i64::from(above[x]) + i64::from(below[x]);
        (horizontal + vertical - 4 * i64::from(row[x])).pow(2) as u64
    };
    if last == 0 {
        return edge(0);
    }
    let mut total = edge(0) + edge(last);
    let mut start = 1;
    while start < last {
        let end = (start + BLOCK).min(last);
        total += block_energy(
            &above[start..end],
            &row[start - 1..end - 1],
            &row[start..end],
            &row[start + 1..end + 1],
            &below[start..end],
        );
        start = end;
    }
    total
}

/// The inner loops: five slices of one length, at most [`BLOCK`] long. Responses in 16 bits first, then squares in 32:
/// apart, each loop fills its SIMD lanes.
fn block_energy(above: &[u8], left: &[u8], centre: &[u8], right: &[u8], below: &[u8]) -> u64 {
    let mut responses = [0_i16; BLOCK];
    let slices = above.iter().zip(left).zip(centre).zip(right).zip(below);
    for (response, ((((&a, &l), &c), &r), &b)) in responses.iter_mut().zip(slices) {
        *response = i16::from(a) + i16::from(b) + i16::from(l) + i16::from(r) - 4 * i16::from(c);
    }
    // the rest of a short block is 0
    let sum: i32 = responses.iter().map(|&response| i32::from(response) * i32::from(response)).sum();
    u64::from(sum.unsigned_abs())
}
