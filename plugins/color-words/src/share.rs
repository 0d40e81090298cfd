//! How much of an image a colour term covers.

use difftest_sdk::{Lab, Rgb};

use crate::opening::open;
use crate::terms::Term;

/// Colours are read to 5 bits per channel, so a table holds every answer.
const CELLS: usize = 1 << 15;

/// The share of the image, 0 to 1, that each term covers: the mean membership after opening, with memberships held in
/// 255 steps so that the sums are integers and the same everywhere.
///
/// `rgb` is interleaved 8-bit sRGB, `width` pixels per row.
#[must_use]
pub fn shares(rgb: &[u8], width: usize, terms: &[&Term]) -> Vec<f64> {
    let cells: Vec<u16> = rgb.chunks_exact(3).map(|pixel| cell([pixel[0], pixel[1], pixel[2]])).collect();
    if cells.is_empty() {
        return vec![0.0; terms.len()];
    }
    let colors = occurring(&cells);
    let share = |&term: &&Term| {
        let mut memberships = vec![0_u8; CELLS];
        for &(cell, color) in &colors {
            memberships[usize::from(cell)] = (term.membership(color) * 255.0 + 0.5).floor() as u8;
        }
        let plane: Vec<u8> = cells.iter().map(|&cell| memberships[usize::from(cell)]).collect();
        let covered: u64 = open(&plane, width).iter().map(|&value| u64::from(value)).sum();
        covered as f64 / (255.0 * cells.len() as f64)
    };
    terms.iter().map(share).collect()
}

/// The table index of a colour.
fn cell([red, green, blue]: [u8; 3]) -> u16 {
    u16::from(red >> 3) << 10 | u16::from(green >> 3) << 5 | u16::from(blue >> 3)
}

/// Every cell that occurs, with the colour at its middle.
fn occurring(cells: &[u16]) -> Vec<(u16, Lab)> {
    let mut seen = vec![false; CELLS];
    for &cell in cells {
        seen[usize::from(cell)] = true;
    }
    let middle = |cell: u16| [cell >> 10, cell >> 5 & 31, cell & 31].map(|five| (five as u8) << 3 | 4);
    (0..CELLS as u16)
        .filter(|&cell| seen[usize::from(cell)])
        .map(|cell| (cell, Rgb::from(middle(cell)).to_lab()))
        .collect()
}
