//! Pictures of where an image differs from its baseline.

use difftest_core::image::Image;

use super::colour::{Rgb, magnitude, squared_distance};
use super::pair::Pair;
use super::pixel::{Kind, PixelOptions, scan};

/// Pixels that differ.
pub const DIFFERENT: Rgb = [230, 0, 60];
/// Soft edges above the threshold, which do not count.
pub const ANTIALIASED: Rgb = [255, 190, 0];
/// What is not compared.
pub const IGNORED: Rgb = [150, 165, 210];

/// The distance, as a share of the largest, that the heat map shows white. The scale is fixed so that two heat maps can be compared; on
/// the scale of all distances most changes of a generated image would be black.
pub const HOTTEST: f64 = 0.5;

/// How much of the two images shines through: a quarter, on white.
const DIMMING: u16 = 4;

/// The mean of both images in dim grey; on it differing pixels in [`DIFFERENT`], soft edges in [`ANTIALIASED`], and what is
/// not compared in [`IGNORED`].
#[must_use]
pub fn diff_image(pair: &Pair, options: &PixelOptions) -> Image {
    let grey = |pixel: Rgb| pixel.iter().map(|&value| u16::from(value)).sum::<u16>();
    let dim = |(a, b): (&Rgb, &Rgb)| [(255 - 255 / DIMMING + (grey(*a) + grey(*b)) / (6 * DIMMING)) as u8; 3];
    let mut picture = draw(pair, IGNORED, dim);
    let width = pair.width();
    scan(pair, options, |(x, y), kind, _| {
        picture[y * width + x] = match kind {
            Kind::Different => DIFFERENT,
            Kind::Antialiased => ANTIALIASED,
        };
    });
    finish(pair, &picture)
}

/// How much each pixel differs, whatever the threshold: from black for equal colours over red and yellow to white for [`HOTTEST`]. What
/// is not compared is black.
#[must_use]
pub fn heat_map(pair: &Pair) -> Image {
    let heat =
        |(a, b): (&Rgb, &Rgb)| if a == b { hot(0.0) } else { hot(magnitude(squared_distance(*a, *b)) / HOTTEST) };
    finish(pair, &draw(pair, hot(0.0), heat))
}

/// Black, red, yellow, white for 0, 1/3, 2/3 and from 1 on.
fn hot(heat: f64) -> Rgb {
    // the cast stops at 0 and 255
    [0.0, 1.0, 2.0].map(|start| ((heat * 3.0 - start) * 255.0).round() as u8)
}

fn draw(pair: &Pair, ignored: Rgb, draw: impl Fn((&Rgb, &Rgb)) -> Rgb) -> Vec<Rgb> {
    let rows = pair.rows().flat_map(|[image, baseline]| image.iter().zip(baseline));
    let mut picture: Vec<Rgb> = rows.map(draw).collect();
    if let Some(mask) = pair.mask() {
        for (y, row) in picture.chunks_mut(pair.width()).enumerate() {
            row.iter_mut().zip(mask.row(y)).filter(|(_, is)| **is).for_each(|(pixel, _)| *pixel = ignored);
        }
    }
    picture
}

fn finish(pair: &Pair, picture: &[Rgb]) -> Image {
    let drawn = Image::new(pair.image().width(), pair.image().height(), picture.as_flattened());
    // one colour per pixel of the pair always makes an image of its size
    drawn.unwrap_or_else(|_| pair.image().clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use difftest_core::visual::Region;

    use super::*;

    fn pair(ignored: &[Region]) -> Pair {
        let white = Image::new(3, 1, vec![255; 9]).unwrap();
        let other = Image::new(3, 1, [[255; 3], [0; 3], [240; 3]].as_flattened()).unwrap();
        Pair::new(&other, &white, ignored).unwrap()
    }

    #[test]
    fn differences_are_marked_on_dim_images() {
        let picture = diff_image(&pair(&[]), &PixelOptions::default());
        assert_eq!(picture.rgb8(), [[255; 3], DIFFERENT, [253; 3]].as_flattened());
        let ignored = [Region { x: 1, y: 0, width: 1, height: 1 }];
        let picture = diff_image(&pair(&ignored), &PixelOptions::default());
        assert_eq!(picture.rgb8(), [[255; 3], IGNORED, [253; 3]].as_flattened());
    }

    #[test]
    fn heat_goes_from_black_to_white() {
        let picture = heat_map(&pair(&[]));
        let pixels = picture.rgb8().as_chunks::<3>().0;
        assert_eq!((pixels[0], pixels[1]), ([0; 3], [255; 3]));
        assert!(pixels[2][0] > 50 && pixels[2][1..] == [0, 0], "{:?}", pixels[2]);
        assert_eq!(
            [0.0, 1.0 / 3.0, 0.5, 2.0 / 3.0, 9.0, f64::NAN].map(hot).map(|[r, g, b]| (r, g, b)),
            [(0, 0, 0), (255, 0, 0), (255, 128, 0), (255, 255, 0), (255, 255, 255), (0, 0, 0),]
        );
    }
}
