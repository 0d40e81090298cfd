//! Rectangles that are not compared.

use std::ops::Range;

use difftest_core::visual::Region;

use super::VisualError;

/// The grey that ignored pixels are painted in both images.
pub const PAINT: u8 = 128;

/// Ignored rectangles, cut to an image of one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    rectangles: Vec<(Range<usize>, Range<usize>)>,
    /// Of each pixel, row by row, whether it is ignored.
    ignored: Vec<bool>,
    width: usize,
    compared: u64,
}

impl Mask {
    /// Of `regions` in an image of `width` x `height`; `None` where there are no regions.
    ///
    /// # Errors
    /// [`VisualError::RegionOutside`] where a region covers nothing, [`VisualError::NothingLeft`] where they cover all.
    pub fn new(regions: &[Region], width: u32, height: u32) -> Result<Option<Self>, VisualError> {
        if regions.is_empty() {
            return Ok(None);
        }
        let along = |start: u32, length: u32, side: u32| {
            let end = start.saturating_add(length).min(side);
            start as usize..end as usize
        };
        let rectangles = regions.iter().map(|region| {
            let cut = (along(region.x, region.width, width), along(region.y, region.height, height));
            let empty = cut.0.is_empty() || cut.1.is_empty();
            if empty { Err(VisualError::RegionOutside { region: *region, width, height }) } else { Ok(cut) }
        });
        let rectangles: Vec<_> = rectangles.collect::<Result<_, _>>()?;
        let ignored = raster(&rectangles, width as usize, height as usize, 0);
        let compared = ignored.iter().filter(|ignored| !**ignored).count() as u64;
        if compared == 0 {
            return Err(VisualError::NothingLeft { width, height });
        }
        Ok(Some(Self { rectangles, ignored, width: width as usize, compared }))
    }

    /// How many pixels are compared.
    #[must_use]
    pub fn compared(&self) -> u64 {
        self.compared
    }

    /// Of row `y`, which pixels are ignored.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn row(&self, y: usize) -> &[bool] {
        &self.ignored[y * self.width..][..self.width]
    }

    /// Of each square of `side` pixels, by its upper left corner and row by row, whether it touches an ignored pixel. `side` is at least
    /// 1 and at most the shorter side of the image.
    #[must_use]
    pub fn squares(&self, side: usize) -> Vec<bool> {
        let height = self.ignored.len() / self.width;
        raster(&self.rectangles, self.width - (side - 1), height - (side - 1), side - 1)
    }

    /// `pixels` of three channels with what is ignored in [`PAINT`].
    #[must_use]
    pub fn painted(&self, pixels: &[u8]) -> Vec<u8> {
        let mut painted = pixels.to_vec();
        for (columns, rows) in &self.rectangles {
            for y in rows.clone() {
                let row = y * self.width;
                painted[(row + columns.start) * 3..(row + columns.end) * 3].fill(PAINT);
            }
        }
        painted
    }
}

/// Of `width` x `height` places, those inside a rectangle or up to `before` places above or left of one.
fn raster(rectangles: &[(Range<usize>, Range<usize>)], width: usize, height: usize, before: usize) -> Vec<bool> {
    let mut inside = vec![false; width * height];
    let grown = |range: &Range<usize>, end: usize| range.start.saturating_sub(before).min(end)..range.end.min(end);
    for (columns, rows) in rectangles {
        let columns = grown(columns, width);
        for y in grown(rows, height) {
            inside[y * width..][columns.clone()].fill(true);
        }
    }
    inside
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn region(x: u32, y: u32, width: u32, height: u32) -> Region {
        Region { x, y, width, height }
    }

    #[test]
    fn regions_are_cut_and_overlaps_count_once() {
        let mask = Mask::new(&[region(2, 1, 9, 1), region(3, 0, 1, 2)], 4, 3).unwrap().unwrap();
        assert_eq!(mask.compared(), 9);
        assert_eq!(mask.row(0), [false, false, false, true]);
        assert_eq!(mask.row(1), [false, false, true, true]);
        assert_eq!(mask.painted(&[7; 36])[15..24], [7, 7, 7, PAINT, PAINT, PAINT, PAINT, PAINT, PAINT]);
    }

    #[test]
    fn squares_that_touch_are_told() {
        let mask = Mask::new(&[region(2, 2, 1, 1)], 5, 4).unwrap().unwrap();
        // of side 2: corners 0..4 x 0..3
        let touched = mask.squares(2);
        let wanted = [false, false, false, false, false, true, true, false, false, true, true, false];
        assert_eq!(touched, wanted);
        assert_eq!(mask.squares(1).iter().filter(|touched| **touched).count(), 1);
    }

    #[test]
    fn mistakes_are_told() {
        assert_eq!(Mask::new(&[], 4, 4), Ok(None));
        for wrong in [region(4, 0, 1, 1), region(0, 9, 1, 1), region(0, 0, 0, 3), region(u32::MAX, 0, u32::MAX, 1)] {
            let error = Mask::new(&[wrong], 4, 4).unwrap_err();
            assert_eq!(error, VisualError::RegionOutside { region: wrong, width: 4, height: 4 });
        }
        let all = [region(0, 0, 4, 2), region(0, 2, u32::MAX, u32::MAX)];
        assert_eq!(Mask::new(&all, 4, 4), Err(VisualError::NothingLeft { width: 4, height: 4 }));
    }
}
