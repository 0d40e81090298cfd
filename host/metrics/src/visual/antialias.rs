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
//!
//! Where everything differs this is asked of every pixel, so it works on [`brightness`], in which one integer stands for a colour, and
//! keeps the five rows around the pixel for both images.

use super::colour::{Rgb, brightness};

/// Equal neighbours, the outside included, that make an area of one colour.
const SIBLINGS: usize = 3;

/// Stands for what is outside of the image: no colour has it.
const OUTSIDE: i64 = -1;

/// Rows that a question looks at: two above, two below.
const ROWS: usize = 5;

/// The soft edges of two images of one size.
pub struct Edges<'a> {
    images: [&'a [Rgb]; 2],
    width: usize,
    height: usize,
    /// Of each image the brightness of the rows around `middle`, outermost first, each with [`OUTSIDE`] at both ends.
    around: [[Vec<i64>; ROWS]; 2],
    middle: Option<usize>,
}

impl<'a> Edges<'a> {
    /// Of two images in rows of `width`, at least 1.
    #[must_use]
    pub fn new(images: [&'a [Rgb]; 2], width: usize) -> Self {
        let height = images[0].len() / width;
        Self { images, width, height, around: Default::default(), middle: None }
    }

    /// Whether the pixel at column `x` of row `y` is a soft edge in one of the images. Fast where rows are asked for in order.
    ///
    /// # Panics
    /// When there is no such pixel.
    #[must_use]
    pub fn is_antialiased(&mut self, x: usize, y: usize) -> bool {
        self.center(y);
        let rim = x == 0 || y == 0 || x + 1 == self.width || y + 1 == self.height;
        self.is_soft(0, x, y, rim) || self.is_soft(1, x, y, rim)
    }

    fn is_soft(&self, image: usize, x: usize, y: usize, rim: bool) -> bool {
        let rows = &self.around[image];
        let centre = rows[ROWS / 2][x + 1];
        let mut equal = usize::from(rim);
        // brightness with the place as its lowest digit, so that of equal ones the first place wins
        let (mut darkest, mut brightest) = (i64::MAX, i64::MIN);
        for (place, (dx, dy)) in (0..).zip(NEIGHBOURS) {
            let neighbour = rows[1 + dy][x + dx];
            equal += usize::from(neighbour == centre);
            if neighbour != OUTSIDE {
                darkest = darkest.min(neighbour * PLACES + place);
                brightest = brightest.max(neighbour * PLACES + (PLACES - 1 - place));
            }
        }
        // where none is darker, or none brighter, the pixel is the end of a slope and not the middle of an edge
        if equal >= SIBLINGS || darkest / PLACES >= centre || brightest / PLACES <= centre {
            return false;
        }
        let in_area = |place: i64| {
            let (dx, dy) = NEIGHBOURS[place as usize];
            // a step of 1 stays: the neighbour is in column x + dx - 1 of row y + dy - 1
            let rim = x + dx == 1 || y + dy == 1 || x + dx == self.width || y + dy == self.height;
            self.around.iter().all(|rows| is_in_area(rows, x + dx, 1 + dy, rim))
        };
        in_area(PLACES - 1 - brightest % PLACES) || in_area(darkest % PLACES)
    }

    /// Makes `y` the middle of the rows at hand.
    fn center(&mut self, y: usize) {
        if self.middle == Some(y) {
            return;
        }
        let next = self.middle.is_some_and(|middle| middle + 1 == y);
        for (image, rows) in self.images.iter().zip(&mut self.around) {
            // one step down: the uppermost row is done with, and its memory takes the new one
            rows.rotate_left(usize::from(next));
            for slot in if next { ROWS - 1..ROWS } else { 0..ROWS } {
                let row = &mut rows[slot];
                row.clear();
                row.resize(self.width + 2, OUTSIDE);
                if let Some(y) = (y + slot).checked_sub(ROWS / 2).filter(|y| *y < self.height) {
                    let colours = &image[y * self.width..][..self.width];
                    row[1..].iter_mut().zip(colours).for_each(|(value, colour)| *value = brightness(*colour));
                }
            }
        }
        self.middle = Some(y);
    }
}

/// How many places a neighbour can have.
const PLACES: i64 = 8;

/// Steps from the upper left neighbour to each, column by column.
const NEIGHBOURS: [(usize, usize); 8] = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2)];

/// Whether the value at `column` of row `row` has enough equal ones around it.
fn is_in_area(rows: &[Vec<i64>; ROWS], column: usize, row: usize, rim: bool) -> bool {
    let colour = rows[row][column];
    let around = [&rows[row - 1], &rows[row], &rows[row + 1]];
    let equal = around.map(|row| row[column - 1..=column + 1].iter().filter(|value| **value == colour).count());
    // the value itself is among them
    equal.iter().sum::<usize>() - 1 + usize::from(rim) >= SIBLINGS
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
        assert!(Edges::new([&pixels, &pixels], 5).is_antialiased(2, 2));
    }

    #[test]
    fn areas_and_lonely_dots_are_not() {
        let pixels = greys(&SOFT);
        assert!(!Edges::new([&pixels, &pixels], 5).is_antialiased(4, 4), "in an area");
        let dot = greys(&[255, 255, 255, 255, 0, 255, 255, 255, 255]);
        assert!(!Edges::new([&dot, &dot], 3).is_antialiased(1, 1), "darker than all around it");
    }

    #[test]
    fn the_area_must_be_in_both_images() {
        let (pixels, noise) = (greys(&SOFT), greys(&(0..25).map(|at| (at * 37 % 251) as u8).collect::<Vec<_>>()));
        assert!(!Edges::new([&pixels, &noise], 5).is_antialiased(2, 2));
    }

    #[test]
    fn one_pixel_is_not() {
        assert!(!Edges::new([&[[9; 3]][..], &[[8; 3]]], 1).is_antialiased(0, 0));
    }

    #[test]
    fn the_order_of_questions_does_not_matter() {
        let (pixels, moved) = (greys(&SOFT), greys(&[&SOFT[..1], &SOFT[..24]].concat()));
        let fresh = |x, y| Edges::new([&pixels, &moved], 5).is_antialiased(x, y);
        let mut edges = Edges::new([&pixels, &moved], 5);
        for y in [0, 1, 4, 3, 3, 0, 1, 2, 3, 4] {
            for x in 0..5 {
                assert_eq!(edges.is_antialiased(x, y), fresh(x, y), "{x} {y}");
            }
        }
    }
}
