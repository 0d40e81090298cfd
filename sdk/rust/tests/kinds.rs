//! Pair and set metrics, seen through the traits that the host's side calls, on the author's own machine.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use difftest_sdk::{MetricPlugin, PairMetricPlugin, SetMetricPlugin};

difftest_sdk::metrics! {
    /// Mean luma.
    fn luma(image: &Image) -> f64 {
        mean(image)
    }

    /// How much darker the image is than its reference.
    #[metric(direction = lower, unit = "levels")]
    fn darkening(reference: &Image, image: &Image, sample: &Sample, config: Scale) -> Result<Score, Error> {
        if sample.prompt.is_empty() {
            return Err(Error::unsupported_input("the prompt is empty"));
        }
        Ok(Score::new((mean(reference) - mean(image)) * config.factor).detail("image", mean(image)))
    }

    /// How far the lumas of a set lie apart.
    #[metric(range = 0.0..)]
    fn spread(images: &ImageSet) -> f64 {
        let lumas: Vec<f64> = images.iter().map(|image| mean(&image)).collect();
        lumas.iter().copied().fold(0.0, f64::max) - lumas.iter().copied().fold(255.0, f64::min)
    }

    /// Images that the set has more than its reference.
    #[metric(name = "more-images")]
    fn growth(_reference: Option<&ImageSet>, images: &ImageSet, _config: &Scale) -> f64 {
        images.len() as f64 - _reference.map_or(0.0, |reference| reference.len() as f64)
    }

    /// Only where it is wanted.
    #[cfg(any())]
    fn not_there(images: &ImageSet) -> f64 {
        0.0
    }

    struct Scale {
        #[config(default = 1.0)]
        factor: f64,
    }
}

fn mean(image: &Image) -> f64 {
    let luma = image.luma8();
    luma.iter().map(|&v| f64::from(v)).sum::<f64>() / luma.len() as f64
}

fn grey(value: u8) -> Image {
    Image::from_fn(4, 2, |_, _| Rgb::new(value, value, value))
}

fn names(infos: &[difftest_sdk::MetricInfo]) -> Vec<&str> {
    infos.iter().map(|info| info.name.as_str()).collect()
}

#[test]
fn each_kind_describes_its_own() {
    assert_eq!(names(&Metrics::describe()), ["luma"]);
    assert_eq!(names(&PairMetrics::describe()), ["darkening"]);
    assert_eq!(names(&SetMetrics::describe()), ["spread", "more-images"]);
    let pair = &PairMetrics::describe()[0];
    assert_eq!((pair.direction, pair.unit.as_deref()), (Direction::LowerIsBetter, Some("levels")));
    assert!(pair.config_schema.as_deref().unwrap().contains("factor"));
    assert_eq!(SetMetrics::describe()[0].range, Some((0.0, f64::INFINITY)));
}

#[test]
fn a_pair_metric_tells_the_image_from_the_reference() {
    let measure = |sample: &Sample, config| PairMetrics::measure("darkening", &grey(10), &grey(40), sample, config);
    let sample = Sample::new("a cat");
    assert_eq!(measure(&sample, ""), Ok(Score::new(30.0).detail("image", 10.0)));
    assert_eq!(measure(&sample, r#"{"factor": 2}"#).unwrap().value, 60.0);
    assert_eq!(measure(&Sample::new(""), ""), Err(Error::unsupported_input("the prompt is empty")));
    assert!(matches!(measure(&sample, r#"{"factr": 2}"#), Err(Error::InvalidConfig(_))));
}

#[test]
fn a_set_metric_sees_both_sets() {
    let set = ImageSet::from_images([grey(10), grey(200), grey(90)]);
    let reference = ImageSet::from_images(vec![grey(0)]);
    assert_eq!(SetMetrics::measure("spread", &set, None, "").unwrap().value, 190.0);
    assert_eq!(SetMetrics::measure("more-images", &set, Some(&reference), "").unwrap().value, 2.0);
    assert_eq!(SetMetrics::measure("more-images", &set, None, "").unwrap().value, 3.0);
}

/// A name is looked up among its own kind: the host calls each through the interface that described it.
#[test]
fn kinds_do_not_answer_for_each_other() {
    let error = PairMetrics::measure("luma", &grey(0), &grey(0), &Sample::new("a cat"), "").unwrap_err();
    assert_eq!(error.to_string(), "there is no pair metric `luma` in this plugin; it has darkening");
    let error = SetMetrics::measure("not-there", &ImageSet::from_images([]), None, "").unwrap_err();
    assert_eq!(error.to_string(), "there is no set metric `not-there` in this plugin; it has spread, more-images");
    let error = Metrics::measure("spread", &grey(0), &Sample::new("a cat"), "").unwrap_err();
    assert_eq!(error.to_string(), "there is no metric `spread` in this plugin; it has luma");
}

#[test]
fn a_set_is_walked_in_order() {
    let set = ImageSet::from_images([grey(1), grey(2), grey(3)]);
    assert_eq!((set.len(), set.is_empty()), (3, false));
    assert_eq!(set.iter().map(|image| mean(&image)).collect::<Vec<_>>(), [1.0, 2.0, 3.0]);
    assert_eq!((&set).into_iter().skip(1).map(|image| mean(&image)).collect::<Vec<_>>(), [2.0, 3.0]);
    let mut images = set.iter();
    assert_eq!(images.nth(1).map(|image| mean(&image)), Some(2.0));
    assert_eq!(images.len(), 1);
    assert!(images.nth(usize::MAX).is_none() && images.next().is_none());
    assert_eq!(images.len(), 0);
    assert!(set.get(3).is_none() && set.get(usize::MAX).is_none());
    let none = ImageSet::from_images([]);
    assert!(none.is_empty() && none.iter().next().is_none());
}
