//! The image in squares, and the one that differs most: where to look first.

use super::colour::magnitude;
use super::pair::Pair;
use super::pixel::{Kind, PixelOptions, scan};

/// Side of a tile that suits images of 512 pixels and more.
pub const SIDE: u32 = 64;

/// A square of the image; those at the right and lower rim may be cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tile {
    /// Pixels to the left of it.
    pub x: u32,
    /// Rows above it.
    pub y: u32,
    /// Pixels per row of it.
    pub width: u32,
    /// Rows of it.
    pub height: u32,
    /// Pixels of it that differ, as the `pixel` tier counts them.
    pub differing: u64,
    /// Sum of the distances of their colours, each as a share of the largest.
    pub magnitude: f64,
}

/// All tiles of a pair.
#[derive(Clone, Debug, PartialEq)]
pub struct Tiles {
    /// Tiles per row.
    pub columns: usize,
    /// Row by row.
    pub tiles: Vec<Tile>,
}

impl Tiles {
    /// Tiles of `side` pixels, at least 1.
    #[must_use]
    pub fn new(pair: &Pair, options: &PixelOptions, side: u32) -> Self {
        let side = side.max(1);
        let (width, height) = (pair.image().width(), pair.image().height());
        let starts = |length: u32| (0..length).step_by(side as usize);
        let columns = width.div_ceil(side) as usize;
        let tile = |x: u32, y: u32| Tile {
            x,
            y,
            width: side.min(width - x),
            height: side.min(height - y),
            differing: 0,
            magnitude: 0.0,
        };
        let mut tiles: Vec<Tile> = starts(height).flat_map(|y| starts(width).map(move |x| tile(x, y))).collect();
        scan(pair, options, |(x, y), kind, distance| {
            if kind == Kind::Different {
                let tile = &mut tiles[y / side as usize * columns + x / side as usize];
                tile.differing += 1;
                tile.magnitude += magnitude(distance);
            }
        });
        Self { columns, tiles }
    }

    /// The tile with the largest sum of distances, the first of equal ones; `None` where nothing differs.
    #[must_use]
    pub fn worst(&self) -> Option<&Tile> {
        let differing = self.tiles.iter().filter(|tile| tile.differing > 0);
        differing.rev().max_by(|a, b| a.magnitude.total_cmp(&b.magnitude))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use difftest_core::image::Image;

    use super::*;

    #[test]
    fn the_worst_tile_is_where_the_difference_is() {
        let black = Image::new(5, 3, vec![0; 45]).unwrap();
        let mut pixels = vec![0; 45];
        for at in [4, 9, 12] {
            pixels[at * 3..][..3].fill(255);
        }
        let pair = Pair::new(&Image::new(5, 3, pixels).unwrap(), &black, &[]).unwrap();
        let tiles = Tiles::new(&pair, &PixelOptions::default(), 2);
        assert_eq!((tiles.columns, tiles.tiles.len()), (3, 6));
        let worst = tiles.worst().unwrap();
        assert_eq!((worst.x, worst.y, worst.width, worst.height, worst.differing), (4, 0, 1, 2, 2));
        assert_eq!(tiles.tiles.iter().map(|tile| tile.differing).sum::<u64>(), 3);
        let same = Pair::new(&black, &black, &[]).unwrap();
        assert_eq!(Tiles::new(&same, &PixelOptions::default(), 0).worst(), None);
    }
}
