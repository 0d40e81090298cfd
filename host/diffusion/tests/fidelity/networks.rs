//! Each network by itself.

use std::error::Error;

use difftest_diffusion::models::{Added, TextEncoder, TextFeatures, TextTap, Unet, VaeDecoder};
use difftest_diffusion::session::SessionOptions;
use difftest_diffusion::tokenizer::ClipTokenizer;

use crate::golden::{Family, worst};
use crate::table::Networks;

/// The recorded text.
const PROMPT: &str = "a red circle on a blue background";

/// How far the networks of a family are from transformers' and diffusers'.
pub(crate) fn measure(family: &Family) -> Result<Networks, Box<dyn Error>> {
    let options = SessionOptions { threads: 1, ..SessionOptions::default() };
    let folder = family.folder();
    let (hidden, pooled) = text(family, &options)?;
    let text = worst(&hidden, &family.values("text.hidden"));
    let pooled = pooled.map(|pooled| worst(&pooled, &family.values("text.pooled")));

    // under the reference's own embedding: a difference belongs to one network only
    let unet = Unet::load(&folder.join("unet"), &options)?;
    let hidden = family.values("text.hidden");
    let more = family.has("unet.time_ids").then(|| (family.values("text.pooled"), family.values("unet.time_ids")));
    let added = more.as_ref().map(|(pooled, time_ids)| Added { pooled, time_ids });
    let guidance = family.has("unet.guidance").then(|| family.values("unet.guidance")[0].into());
    let texts = unet.project_texts(&hidden, 1, added, guidance)?;
    let sample = family.values("unet.sample");
    let timestep = family.values("unet.timestep")[0];
    let prediction = unet.predict_under(&sample, family.shape("unet.sample"), timestep, &texts)?;

    let vae = VaeDecoder::load(&folder.join("vae"), &options)?;
    let image = vae.decode(&family.values("vae.latents"), family.shape("vae.latents"))?;
    Ok(Networks {
        family: family.name.clone(),
        text,
        pooled,
        unet: worst(&prediction, &family.values("unet.prediction")),
        vae: worst(&image, &family.values("vae.image")),
    })
}

/// Tokens, and pooled.
type Text = (Vec<f32>, Option<Vec<f32>>);

/// The embedding of [`PROMPT`] as the pipeline reads it, `[length, width]`, and pooled where a second encoder does that.
fn text(family: &Family, options: &SessionOptions) -> Result<Text, Box<dyn Error>> {
    let encode = |number: &str, tap: TextTap| -> Result<(TextFeatures, usize), Box<dyn Error>> {
        let tokenizer = ClipTokenizer::load(&family.folder().join(format!("tokenizer{number}")))?;
        let encoder = TextEncoder::load(&family.folder().join(format!("text_encoder{number}")), options)?;
        Ok((encoder.encode(&tokenizer.encode(PROMPT)?.ids, 1, tap)?, encoder.width()))
    };
    if !family.has("text.pooled") {
        return Ok((encode("", TextTap::default())?.0.hidden, None));
    }
    let last_but_one = TextTap { skip: 1, norm: false, pooled: false };
    let (one, one_width) = encode("", last_but_one)?;
    let (two, two_width) = encode("_2", TextTap { pooled: true, ..last_but_one })?;
    let tokens = one.hidden.chunks(one_width).zip(two.hidden.chunks(two_width));
    Ok((tokens.flat_map(|(one, two)| [one, two].concat()).collect(), two.pooled))
}
