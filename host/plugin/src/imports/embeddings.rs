//! `difftest:plugin/embeddings`: texts and images through the suite's models, by name.
//!
//! The price of a row is fixed, whatever the model and whether the host has the answer already: how much a call may ask for
//! depends on the call alone. The time is the host's. Rows are checked before a plugin sees them, so that a number that is none
//! is the model's error and not a riddle in a score.

use std::sync::Arc;

use difftest_core::image::Image;
use difftest_core::model::{Embedder, ModelError};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};

use super::media::HostImage;
use super::models;
use super::set::{self, HostImageSet};
use crate::bindings::types::Error;
use crate::limits::Limits;
use crate::state::State;
use crate::text;

/// Images of a set that go through a model at once, so that few of them are in memory at once.
const BATCH: usize = 16;
/// Bytes of pixels at which such a batch is full, however few they are.
const BATCH_BYTES: usize = 64 << 20;

type Store<'a> = StoreContextMut<'a, State>;
type Rows = Result<Vec<f32>, Error>;

pub(crate) fn add(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut at = linker.instance("difftest:plugin/embeddings@0.1.0")?;
    at.func_wrap("dimensions", |mut store: Store<'_>, (model,): (String,)| {
        let state = store.data_mut();
        state.charge(0)?;
        Ok((embedder(state, &model).map(|embedder| embedder.dimensions()),))
    })?;
    at.func_wrap("embed-text", |mut store: Store<'_>, (model, text): (String, String)| {
        Ok((embed_text(store.data_mut(), &model, &text)?,))
    })?;
    at.func_wrap("embed-image", |mut store: Store<'_>, (model, image): (String, Resource<HostImage>)| {
        let state = store.data_mut();
        let image = state.get(&image)?.image().clone();
        Ok((embed_image(state, &model, &image)?,))
    })?;
    at.func_wrap("embed-set", |mut store: Store<'_>, (model, images): (String, Resource<HostImageSet>)| {
        Ok((embed_set(store.data_mut(), &model, &images)?,))
    })
}

fn embed_text(state: &mut State, model: &str, text: &str) -> wasmtime::Result<Rows> {
    state.charge(Limits::TEXT_CREDITS)?;
    let (count, most) = (text.chars().count(), state.limits().prompt_chars);
    if count > most {
        return Ok(Err(Error::UnsupportedInput(format!("a text of {count} characters, {most} is the most"))));
    }
    let embedder = match embedder(state, model) {
        Ok(embedder) => embedder,
        Err(error) => return Ok(Err(error)),
    };
    let row = state.aside(|| embedder.embed_text(text));
    let row = row.map_err(failed).and_then(|row| sound(model, &*embedder, &[row]));
    pay(state, row)
}

fn embed_image(state: &mut State, model: &str, image: &Image) -> wasmtime::Result<Rows> {
    state.charge(Limits::EMBED_CREDITS)?;
    let embedder = match embedder(state, model) {
        Ok(embedder) => embedder,
        Err(error) => return Ok(Err(error)),
    };
    let rows = embed(state, model, &*embedder, std::slice::from_ref(image));
    pay(state, rows)
}

/// Batch by batch: of the whole set, only the rows are in memory at once.
fn embed_set(state: &mut State, model: &str, images: &Resource<HostImageSet>) -> wasmtime::Result<Rows> {
    state.charge(0)?;
    let embedder = match embedder(state, model) {
        Ok(embedder) => embedder,
        Err(error) => return Ok(Err(error)),
    };
    let len = set::len(state, images)?;
    let bytes = len.saturating_mul(embedder.dimensions() as usize).saturating_mul(size_of::<f32>());
    state.hold(bytes)?;
    let mut rows = Vec::with_capacity(bytes / size_of::<f32>());
    let mut next = 0;
    while next < len {
        let (mut batch, mut held) = (Vec::new(), 0);
        while next < len && batch.len() < BATCH && held < BATCH_BYTES {
            state.charge(Limits::EMBED_CREDITS)?;
            let image = set::read(state, images, next)?;
            held += image.rgb8().len();
            batch.push(image);
            next += 1;
        }
        match embed(state, model, &*embedder, &batch) {
            Ok(more) => rows.extend(more),
            Err(error) => {
                state.release(bytes);
                return Ok(Err(error));
            }
        }
    }
    let rows = pay(state, Ok(rows));
    state.release(bytes);
    rows
}

/// Checked rows of `images`, one after the other.
fn embed(state: &mut State, model: &str, embedder: &dyn Embedder, images: &[Image]) -> Rows {
    let rows = state.aside(|| embedder.embed_images(images)).map_err(failed)?;
    if rows.len() != images.len() {
        let said = format!("the model `{model}` answered {} images with {} rows", images.len(), rows.len());
        return Err(Error::Other(said));
    }
    sound(model, embedder, &rows)
}

/// Pays for the bytes that go back.
fn pay(state: &mut State, rows: Rows) -> wasmtime::Result<Rows> {
    if let Ok(rows) = &rows {
        state.charge(size_of_val(rows.as_slice()) as u64 * Limits::BYTE_CREDITS)?;
    }
    Ok(rows)
}

fn embedder(state: &mut State, name: &str) -> Result<Arc<dyn Embedder>, Error> {
    let models = models::declared(state, name).map_err(Error::ModelNotFound)?;
    state.aside(|| models.embedder(name)).map_err(failed)
}

/// Rows as one list, each as long as the model says and made of numbers.
fn sound(model: &str, embedder: &dyn Embedder, rows: &[Arc<[f32]>]) -> Rows {
    let wanted = embedder.dimensions() as usize;
    let mut all = Vec::with_capacity(rows.len().saturating_mul(wanted));
    for row in rows {
        if row.len() != wanted {
            let said = format!("the model `{model}` answered with {} numbers, {wanted} is what it has", row.len());
            return Err(Error::Other(said));
        }
        if let Some(value) = row.iter().find(|value| !value.is_finite()) {
            return Err(Error::Other(format!("the model `{model}` answered with {value}, which is not a number")));
        }
        all.extend_from_slice(row);
    }
    Ok(all)
}

fn failed(error: ModelError) -> Error {
    let said = text::line(&error.to_string(), 1_000);
    match error {
        ModelError::NotFound(_) => Error::ModelNotFound(said),
        ModelError::Input(_) => Error::UnsupportedInput(said),
        ModelError::Failed(_) => Error::Other(said),
    }
}
