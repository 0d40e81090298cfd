//! Whether a pixel is the soft edge of a shape rather than a shape of its own.
//!
//! "Anti-aliased Pixel and Intensity Slope Detector", V. Vyšniauskas, 2009, in the form that pixelmatch gave it for two images. A pixel
//! of one image is a soft edge when
//!
//! - at most two of its neighbours are as bright as it is (the outside of the image counts as one of them),
//! - some neighbour is darker and some is brighter, and
//! - the darkest or the brightest of them lies in an area of one colour, in both images: three of *its* neighbours or more have its
//!   colour (again the outside counts as one).
//!
//! Neighbours are looked at column by column, and of two equally dark or bright ones the first counts: that decides rare cases, and is
//! as in pixelmatch.

use std::ops::RangeInclusive;

use super::colour::{Rgb, brightness_difference};

/// Equal neighbours, the outside included, that make an area of one colour.
const SIBLINGS: usize = 3;

/// The pixels of an image.
#[derive(Clone, Copy)]
pub struct Pixels<'a> {
    rgb: &'a [Rgb],
    width: usize,
    height: usize,
}

/// Column and row.
type Place = (usize, usize);

impl<'a> Pixels<'a> {
    /// `rgb` in rows of `width`.
    #[must_use]
    pub fn new(rgb: &'a [Rgb], width: usize) -> Self {
        Self { rgb, width, height: rgb.len() / width.max(1) }
    }

    fn at(&self, (x, y): Place) -> Rgb {
        self.rgb[y * self.width + x]
    }

    /// Whether the pixel at a place inside the image is a soft edge, judged with `other`, which is of the same size.
    #[must_use]
    pub fn is_antialiased(&self, place: Place, other: &Pixels<'_>) -> bool {
        let centre = self.at(place);
        let mut equal = self.outside(place);
        let (mut darkest, mut brightest) = ((0.0, place), (0.0, place));
        for neighbour in self.neighbours(place) {
            let colour = self.at(neighbour);
            let brighter = brightness_difference(centre, colour);
            if brighter == 0.0 {
                equal += 1;
                if equal == SIBLINGS {
                    return false;
                }
            } else if brighter < brightest.0 {
                brightest = (brighter, neighbour);
            } else if brighter > darkest.0 {
                darkest = (brighter, neighbour);
            }
        }
        let in_area = |place| self.is_in_area(place) && other.is_in_area(place);
        // where none is darker, or none brighter, the pixel is the end of a slope and not the middle of an edge
        brightest.0 != 0.0 && darkest.0 != 0.0 && (in_area(brightest.1) || in_area(darkest.1))
    }

    fn is_in_area(&self, place: Place) -> bool {
        let colour = self.at(place);
        let equal = self.neighbours(place).filter(|&neighbour| self.at(neighbour) == colour);
        self.outside(place) + equal.take(SIBLINGS).count() >= SIBLINGS
    }

    /// 1 at the rim of the image.
    fn outside(&self, (x, y): Place) -> usize {
        usize::from(x == 0 || y == 0 || x + 1 == self.width || y + 1 == self.height)
    }

    /// Up to eight, column by column.
    fn neighbours(&self, (x, y): Place) -> impl Iterator<Item = Place> + use<> {
        let around = |at: usize, end: usize| -> RangeInclusive<usize> { at.saturating_sub(1)..=(at + 1).min(end - 1) };
        let rows = around(y, self.height);
        let places = around(x, self.width).flat_map(move |column| rows.clone().map(move |row| (column, row)));
        places.filter(move |&place| place != (x, y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One grey per pixel.
    fn greys(values: &[u8]) -> Vec<Rgb> {
        values.iter().map(|&value| [value; 3]).collect()
    }

    const SOFT: [u8; 25] = [
        0, 0, 0, 90, 255, //
        0, 0, 90, 255, 255, //
        0, 40, 130, 255, 255, //
        0, 90, 255, 255, 255, //
        40, 255, 255, 255, 255,
    ];

    #[test]
    fn the_middle_of_a_soft_edge_is_one() {
        let pixels = greys(&SOFT);
        let pixels = Pixels::new(&pixels, 5);
        assert!(pixels.is_antialiased((2, 2), &pixels));
    }

    #[test]
    fn areas_and_lonely_dots_are_not() {
        let pixels = greys(&SOFT);
        let pixels = Pixels::new(&pixels, 5);
        // in an area
        assert!(!pixels.is_antialiased((4, 4), &pixels));
        // darker than all around it
        let dot = greys(&[255, 255, 255, 255, 0, 255, 255, 255, 255]);
        let dot = Pixels::new(&dot, 3);
        assert!(!dot.is_antialiased((1, 1), &dot));
    }

    #[test]
    fn the_area_must_be_in_both_images() {
        let (pixels, noise) = (greys(&SOFT), greys(&std::array::from_fn::<u8, 25, _>(|at| (at * 37 % 251) as u8)));
        let (pixels, noise) = (Pixels::new(&pixels, 5), Pixels::new(&noise, 5));
        assert!(!pixels.is_antialiased((2, 2), &noise));
    }

    #[test]
    fn one_pixel_is_not() {
        let pixels = greys(&[9]);
        let pixels = Pixels::new(&pixels, 1);
        assert!(!pixels.is_antialiased((0, 0), &pixels));
    }
}
