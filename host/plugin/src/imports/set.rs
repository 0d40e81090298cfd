//! `image-set` of `difftest:plugin/media`: images in an order, each read when it is asked for.
//!
//! Reading is the host's work and not the plugin's time. An image that cannot be read ends the call with an error that names it:
//! a score of the images that happened to be readable would be a score of another set.

use std::sync::Arc;

use difftest_core::image::Image;
use difftest_core::metric::{ImageSet, MetricError};
use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, Resource, ResourceType};

use super::media::{HostImage, pixels};
use crate::limits::Limits;
use crate::state::{HostObject, State};

/// A set that a plugin may hold a handle of.
#[expect(unreachable_pub, reason = "the generated bindings name it, and are public inside their private module")]
pub struct HostImageSet {
    images: Arc<dyn ImageSet>,
    /// What errors call it: `the set` or `the reference set`.
    what: &'static str,
}

impl HostImageSet {
    /// The images that are measured.
    pub(crate) fn measured(images: &Arc<dyn ImageSet>) -> Self {
        Self { images: images.clone(), what: "the set" }
    }

    /// What they are compared with.
    pub(crate) fn reference(images: &Arc<dyn ImageSet>) -> Self {
        Self { images: images.clone(), what: "the reference set" }
    }
}

/// Its images are the host's until they are asked for.
impl HostObject for HostImageSet {}

/// An image of a set could not be read. Not the plugin's fault, so its name is not what the error begins with.
#[derive(Clone, Debug, thiserror::Error)]
#[error("image {} of {what} cannot be read: {}", index + 1, error.message)]
pub(crate) struct Unreadable {
    index: usize,
    what: &'static str,
    error: MetricError,
}

impl Unreadable {
    /// The end of the call: the words of whoever could not read it, with the place in the set.
    pub(crate) fn end(&self) -> MetricError {
        MetricError { message: self.to_string(), ..self.error.clone() }
    }
}

type Store<'a> = StoreContextMut<'a, State>;
type Handle = Resource<HostImageSet>;

pub(super) fn add(media: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    media.resource("image-set", ResourceType::host::<HostImageSet>(), |mut store, handle| {
        store.data_mut().remove::<HostImageSet>(handle)
    })?;
    media.func_wrap("[method]image-set.len", |mut store: Store<'_>, (set,): (Handle,)| {
        let state = store.data_mut();
        state.charge(0)?;
        Ok((u32::try_from(len(state, &set)?).unwrap_or(u32::MAX),))
    })?;
    media.func_wrap("[method]image-set.at", |mut store: Store<'_>, (set, index): (Handle, u32)| {
        let state = store.data_mut();
        let index = index as usize;
        if index >= len(state, &set)? {
            state.charge(0)?;
            return Ok((None,));
        }
        let image = read(state, &set, index)?;
        state.hold(image.rgb8().len())?;
        Ok((Some(state.insert(HostImage::made(image))?),))
    })
}

/// How many images are in the set.
pub(crate) fn len(state: &mut State, set: &Handle) -> wasmtime::Result<usize> {
    Ok(state.get(set)?.images.len())
}

/// Reads the image at `index`, which is in the set. What it costs besides a fixed price is only known afterwards.
pub(crate) fn read(state: &mut State, set: &Handle, index: usize) -> wasmtime::Result<Image> {
    let set = state.get(set)?;
    let (images, what) = (set.images.clone(), set.what);
    state.charge(Limits::READ_CREDITS)?;
    let image = state.aside(|| images.get(index)).map_err(|error| Unreadable { index, what, error })?;
    state.charge(pixels(&image) * Limits::PIXEL_CREDITS)?;
    Ok(image)
}
