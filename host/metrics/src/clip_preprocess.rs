//! An image as CLIP's vision tower wants it: what transformers' `CLIPImageProcessor` does on its Pillow path.
//!
//! Shortest edge resized in 8 bits (the other side truncated), centre crop at `(side - crop) / 2` rounded down, times
//! `rescale_factor` in `f64` and rounded to `f32`, minus mean, by deviation in `f32`. Values of `preprocessor_config.json`
//! that would mean something else are refused by name.

use difftest_core::image::Image;
use serde_json::{Map, Value};

use crate::resize::{Filter, resize_part};

/// The settings of `preprocessor_config.json`, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipPreprocess {
    /// Length the shortest edge gets.
    pub shortest_edge: u32,
    /// How it is resampled.
    pub filter: Filter,
    /// Side of the square cut from the centre: the tower's input.
    pub crop: u32,
    /// Factor from bytes to the unit range.
    pub rescale_factor: f64,
    /// Subtracted from R, G, B.
    pub mean: [f32; 3],
    /// R, G, B are divided by this.
    pub std: [f32; 3],
}

/// Why a `preprocessor_config.json` is not used.
#[derive(Debug, thiserror::Error)]
pub enum PreprocessError {
    /// Not a JSON object.
    #[error("preprocessor_config.json is not a JSON object")]
    NotAnObject,
    /// A value that is missing or would need another way of preprocessing.
    #[error("preprocessor_config.json: `{key}` is {found}, supported: {supported}")]
    Unsupported {
        /// The key.
        key: String,
        /// Its value, as JSON.
        found: String,
        /// What would do.
        supported: &'static str,
    },
}

/// Keys that name the class or where tensors go, and change no pixel.
const IGNORED: [&str; 10] = [
    "feature_extractor_type",
    "processor_class",
    "return_tensors",
    "data_format",
    "input_data_format",
    "device",
    "_valid_processor_keys",
    "_processor_class",
    "disable_grouping",
    "transformers_version",
];

const KNOWN: [&str; 13] = [
    "image_processor_type",
    "do_resize",
    "size",
    "resample",
    "do_center_crop",
    "crop_size",
    "do_rescale",
    "rescale_factor",
    "do_normalize",
    "image_mean",
    "image_std",
    "do_convert_rgb",
    "default_to_square",
];

impl ClipPreprocess {
    /// Checks the content of a `preprocessor_config.json`. Keys left out get `CLIPImageProcessor`'s defaults.
    ///
    /// # Errors
    /// [`PreprocessError::Unsupported`] names the key.
    pub fn from_json(config: &Value) -> Result<Self, PreprocessError> {
        let config = Fields(config.as_object().ok_or(PreprocessError::NotAnObject)?);
        let unknown = |(key, value): &(&String, &Value)| {
            let set = !matches!(value, Value::Null | Value::Bool(false));
            set && !KNOWN.contains(&key.as_str()) && !IGNORED.contains(&key.as_str())
        };
        if let Some((key, value)) = config.0.iter().find(unknown) {
            return Err(unsupported(key, value, "not set (this key is unknown)"));
        }
        config.one_of("image_processor_type", &["CLIPImageProcessor", "CLIPImageProcessorFast"])?;
        for step in ["do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb"] {
            config.must_be(step, true)?;
        }
        config.must_be("default_to_square", false)?;
        let resample = config.get("resample").map_or(Some(3), Value::as_u64);
        let settings = Self {
            shortest_edge: config.side("size", "shortest_edge", "a whole number or { shortest_edge }")?,
            filter: resample
                .and_then(Filter::from_pillow)
                .ok_or_else(|| config.refuse("resample", "0 (nearest), 1 (lanczos), 2 (bilinear) or 3 (bicubic)"))?,
            crop: config.crop()?,
            rescale_factor: config
                .get("rescale_factor")
                .map_or(Some(1.0 / 255.0), Value::as_f64)
                .ok_or_else(|| config.refuse("rescale_factor", "a number"))?,
            mean: config.triple("image_mean", [0.481_454_66, 0.457_827_5, 0.408_210_73])?,
            std: config.triple("image_std", [0.268_629_54, 0.261_302_58, 0.275_777_11])?,
        };
        if settings.crop > settings.shortest_edge {
            return Err(config.refuse("crop_size", "at most the resized shortest edge"));
        }
        if settings.std.contains(&0.0) {
            return Err(config.refuse("image_std", "three numbers other than 0"));
        }
        Ok(settings)
    }

    /// A line that names this way of preprocessing in a metric's variant.
    #[must_use]
    pub fn id(&self) -> String {
        format!("pillow-{}-{}-crop-{}", self.filter, self.shortest_edge, self.crop)
    }

    /// Length of what [`ClipPreprocess::apply`] returns: `3 * crop * crop`.
    #[must_use]
    pub fn len(&self) -> usize {
        3 * (self.crop as usize).pow(2)
    }

    /// Never: a crop has at least one pixel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// `[3, crop, crop]`, planar R, G, B.
    #[must_use]
    pub fn apply(&self, image: &Image) -> Vec<f32> {
        let (width, height) = (u64::from(image.width()), u64::from(image.height()));
        // only sides over a million pixels saturate, and then both ends lie far outside the crop
        let other =
            |long: u64, short: u64| u32::try_from(u64::from(self.shortest_edge) * long / short).unwrap_or(u32::MAX);
        let (w, h) = if width <= height {
            (self.shortest_edge, other(height, width))
        } else {
            (other(width, height), self.shortest_edge)
        };
        let (left, top) = ((w - self.crop) / 2, (h - self.crop) / 2);
        let (columns, rows) = (left..left + self.crop, top..top + self.crop);
        let Ok(cropped) = resize_part(image, (w, h), columns, rows, self.filter) else {
            // the crop lies inside the resized image: from_json saw to it
            return vec![0.0; self.len()];
        };
        let mut planes = Vec::with_capacity(self.len());
        for channel in 0..3 {
            let (mean, std) = (self.mean[channel], self.std[channel]);
            // 256 possible values: the table is the arithmetic
            let table: [f32; 256] =
                std::array::from_fn(|byte| ((byte as f64 * self.rescale_factor) as f32 - mean) / std);
            planes.extend(cropped.rgb8().iter().skip(channel).step_by(3).map(|&byte| table[usize::from(byte)]));
        }
        planes
    }
}

fn unsupported(key: &str, found: &Value, supported: &'static str) -> PreprocessError {
    PreprocessError::Unsupported { key: key.to_owned(), found: found.to_string(), supported }
}

/// The object, with readers that name the key they stumble over.
struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    /// `None` for `null` as well.
    fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn refuse(&self, key: &str, supported: &'static str) -> PreprocessError {
        unsupported(key, self.0.get(key).unwrap_or(&Value::Null), supported)
    }

    fn must_be(&self, key: &str, wanted: bool) -> Result<(), PreprocessError> {
        match self.get(key) {
            None => Ok(()),
            Some(value) if value.as_bool() == Some(wanted) => Ok(()),
            Some(_) => Err(self.refuse(key, if wanted { "true" } else { "false" })),
        }
    }

    fn one_of(&self, key: &str, names: &[&str]) -> Result<(), PreprocessError> {
        match self.get(key) {
            Some(value) if !value.as_str().is_some_and(|name| names.contains(&name)) => {
                Err(self.refuse(key, "CLIPImageProcessor"))
            }
            _ => Ok(()),
        }
    }

    /// A positive length: a number, or an object with nothing but `name`.
    fn side(&self, key: &str, name: &str, supported: &'static str) -> Result<u32, PreprocessError> {
        let number = match self.get(key) {
            None => return Ok(224),
            Some(Value::Object(size)) if size.len() == 1 => size.get(name).and_then(Value::as_u64),
            Some(value) => value.as_u64(),
        };
        sane(number).ok_or_else(|| self.refuse(key, supported))
    }

    fn crop(&self) -> Result<u32, PreprocessError> {
        const SUPPORTED: &str = "a whole number or { height, width } of equal length";
        let number = match self.get("crop_size") {
            None => return Ok(224),
            Some(Value::Object(size)) if size.len() == 2 && size.get("height") == size.get("width") => {
                size.get("height").and_then(Value::as_u64)
            }
            Some(value) => value.as_u64(),
        };
        sane(number).ok_or_else(|| self.refuse("crop_size", SUPPORTED))
    }

    fn triple(&self, key: &str, default: [f64; 3]) -> Result<[f32; 3], PreprocessError> {
        let Some(value) = self.get(key) else { return Ok(default.map(|x| x as f32)) };
        let numbers: Option<Vec<f64>> = value.as_array().and_then(|list| list.iter().map(Value::as_f64).collect());
        match numbers.as_deref() {
            Some(&[r, g, b]) => Ok([r as f32, g as f32, b as f32]),
            _ => Err(self.refuse(key, "three numbers")),
        }
    }
}

/// Sides that a vision tower could have.
fn sane(side: Option<u64>) -> Option<u32> {
    side.filter(|side| (1..=4096).contains(side)).and_then(|side| u32::try_from(side).ok())
}
