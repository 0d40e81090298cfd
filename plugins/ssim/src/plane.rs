//! One channel of an image, centred, at one of the five scales.

/// Row-major values of one channel: `256 * (v - 128)` for an 8-bit `v`.
///
/// Half of the range is subtracted because variances do not change by it and products become smaller. The factor leaves room
/// for averaging: a mean of `4^n` bytes is a multiple of `4^-n`, so four halvings are exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plane {
    width: usize,
    height: usize,
    values: Vec<i16>,
}

impl Plane {
    /// What the values are multiplied with.
    pub const SCALE: i16 = 256;

    /// What is subtracted before.
    pub const OFFSET: i16 = 128;

    /// Every `step`-th byte from `first` on, `width` to a row: channel `first` of `step` interleaved ones. A last row that is
    /// not whole is left out.
    #[must_use]
    pub fn of_bytes(bytes: &[u8], width: usize, first: usize, step: usize) -> Self {
        let channel = bytes.chunks_exact(step).map(|pixel| (i16::from(pixel[first]) - Self::OFFSET) * Self::SCALE);
        let mut values: Vec<i16> = channel.collect();
        let height = values.len() / width.max(1);
        values.truncate(width * height);
        Self { width, height, values }
    }

    /// Values per row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The values of row `y`.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn row(&self, y: usize) -> &[i16] {
        &self.values[y * self.width..][..self.width]
    }

    /// Means of 2x2 values. A side of odd length gets a line of black before its first and after its last value, which count,
    /// and has `n / 2 + 1` means: `avg_pool2d(kernel_size=2, padding=n % 2)` of PyTorch.
    #[must_use]
    pub fn halved(&self) -> Self {
        let (left, top) = (self.width % 2, self.height % 2);
        let (width, height) = (self.width / 2 + left, self.height / 2 + top);
        let black = -i32::from(Self::OFFSET) * i32::from(Self::SCALE);
        let empty = vec![];
        let mut values = Vec::with_capacity(width * height);
        for y in 0..height {
            let rows = [2 * y, 2 * y + 1].map(|y| match y.checked_sub(top) {
                Some(y) if y < self.height => self.row(y),
                _ => &empty,
            });
            let at = |row: &[i16], x: usize| {
                x.checked_sub(left).and_then(|x| row.get(x)).map_or(black, |&value| i32::from(value))
            };
            let pairs = (0..width).map(|x| [2 * x, 2 * x + 1]);
            values.extend(pairs.map(|[x, next]| {
                let sum: i32 = rows.iter().map(|row| at(row, x) + at(row, next)).sum();
                (sum >> 2) as i16
            }));
        }
        Self { width, height, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_taken_apart() {
        let plane = Plane::of_bytes(&[0, 1, 2, 128, 4, 5, 255, 7, 8, 9, 10, 11], 2, 0, 3);
        assert_eq!((plane.width(), plane.height()), (2, 2));
        assert_eq!((plane.row(0), plane.row(1)), (&[-32768, 0][..], &[32512, -119 * 256][..]));
    }

    #[test]
    fn even_sides_are_averaged() {
        let plane = Plane::of_bytes(&[0, 1, 10, 20, 2, 4, 30, 41], 4, 0, 1).halved();
        assert_eq!((plane.width(), plane.height()), (2, 1));
        assert_eq!(plane.row(0), [7 * 64 + i16::MIN, 101 * 64 + i16::MIN]);
    }

    #[test]
    fn odd_sides_are_padded_with_black() {
        let plane = Plane::of_bytes(&[4, 8, 16], 3, 0, 1).halved();
        assert_eq!((plane.width(), plane.height()), (2, 1));
        assert_eq!(plane.row(0), [4 * 64 + i16::MIN, 24 * 64 + i16::MIN]);
    }

    #[test]
    fn four_halvings_lose_nothing() {
        let bytes: Vec<u8> = (0..=255).map(|i: u8| i.wrapping_mul(37)).collect();
        let mut plane = Plane::of_bytes(&bytes, 16, 0, 1);
        for _ in 0..4 {
            plane = plane.halved();
        }
        let sum: i32 = bytes.iter().map(|&v| i32::from(v)).sum();
        assert_eq!(plane.row(0), [(sum - 32768) as i16]);
    }
}
