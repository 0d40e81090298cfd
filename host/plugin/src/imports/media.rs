//! `difftest:plugin/media`: pixels stay in the host until a plugin asks for them, and every asking is paid for beforehand.
//!
//! Linked by hand and not through the generated traits, because those return `Vec<u8>`: an `Arc<[u8]>` goes into the plugin's
//! memory with one copy and no allocation.

use std::sync::Arc;

use difftest_core::image::Image;
use difftest_metrics::{luma, resize};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};

use crate::bindings::media::{Filter, Size};
use crate::failure::Breach;
use crate::imports::set;
use crate::limits::Limits;
use crate::state::{HostObject, State};

/// An image that a plugin may hold a handle of.
#[expect(unreachable_pub, reason = "the generated bindings name it, and are public inside their private module")]
pub struct HostImage {
    image: Image,
    luma: Option<Arc<[u8]>>,
    /// Made or read for the plugin, so its bytes count; the case's own image is the host's.
    made: bool,
}

impl HostImage {
    /// The image of the case.
    pub(crate) fn of_case(image: Image) -> Self {
        Self { image, luma: None, made: false }
    }

    /// An image that exists because the plugin asked for it, and whose bytes are held for it.
    pub(crate) fn made(image: Image) -> Self {
        Self { image, luma: None, made: true }
    }

    /// The pixels.
    pub(crate) fn image(&self) -> &Image {
        &self.image
    }
}

impl HostObject for HostImage {
    fn held(&self) -> usize {
        let made = if self.made { self.image.rgb8().len() } else { 0 };
        made + self.luma.as_ref().map_or(0, |luma| luma.len())
    }
}

/// How many there are.
pub(crate) fn pixels(image: &Image) -> u64 {
    u64::from(image.width()) * u64::from(image.height())
}

type Store<'a> = StoreContextMut<'a, State>;
type Handle = Resource<HostImage>;

pub(crate) fn add(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut media = linker.instance("difftest:plugin/media@0.1.0")?;
    media.resource("image", ResourceType::host::<HostImage>(), |mut store, handle| {
        store.data_mut().remove::<HostImage>(handle)
    })?;
    media.func_wrap("[method]image.size", |mut store: Store<'_>, (image,): (Handle,)| {
        store.data_mut().charge(0)?;
        let image = &store.data_mut().get(&image)?.image;
        Ok((Size { width: image.width(), height: image.height() },))
    })?;
    media.func_wrap("[method]image.rgb8", |mut store: Store<'_>, (image,): (Handle,)| {
        let pixels = store.data_mut().get(&image)?.image.shared();
        store.data_mut().charge(pixels.len() as u64 * Limits::BYTE_CREDITS)?;
        Ok((pixels,))
    })?;
    media.func_wrap("[method]image.luma8", |mut store: Store<'_>, (image,): (Handle,)| {
        luma8(store.data_mut(), &image)
    })?;
    media.func_wrap("[method]image.rows", |mut store: Store<'_>, (image, first, count): (Handle, u32, u32)| {
        let state = store.data_mut();
        let image = state.get(&image)?.image.clone();
        let row = image.width() as usize * 3;
        let first = first.min(image.height());
        let end = first.saturating_add(count).min(image.height());
        let rows = &image.rgb8()[first as usize * row..end as usize * row];
        state.charge(rows.len() as u64 * Limits::BYTE_CREDITS)?;
        Ok((rows.to_vec(),))
    })?;
    media.func_wrap("[method]image.resize", |mut store: Store<'_>, (image, to, filter): (Handle, Size, Filter)| {
        resized(store.data_mut(), &image, to, filter)
    })?;
    media.func_wrap("[method]image.digest", |mut store: Store<'_>, (image,): (Handle,)| {
        let state = store.data_mut();
        let image = state.get(&image)?.image.clone();
        state.charge(image.rgb8().len() as u64 * Limits::PIXEL_CREDITS)?;
        Ok((image.digest().to_string(),))
    })?;
    set::add(&mut media)
}

/// Weighed once for each image, however often it is asked for.
fn luma8(state: &mut State, handle: &Handle) -> wasmtime::Result<(Arc<[u8]>,)> {
    let image = state.get(handle)?;
    let pixels = pixels(&image.image);
    if let Some(luma) = image.luma.clone() {
        state.charge(pixels * Limits::BYTE_CREDITS)?;
        return Ok((luma,));
    }
    let source = image.image.clone();
    state.charge(pixels * (Limits::BYTE_CREDITS + Limits::PIXEL_CREDITS))?;
    state.hold(pixels as usize)?;
    let luma = luma::shared(&source);
    state.get(handle)?.luma = Some(luma.clone());
    Ok((luma,))
}

fn resized(state: &mut State, handle: &Handle, to: Size, filter: Filter) -> wasmtime::Result<(Handle,)> {
    let source = state.get(handle)?.image.clone();
    let limits = state.limits();
    let (side, most) = (limits.resize_side, limits.resize_pixels);
    let pixels = |width: u32, height: u32| u64::from(width) * u64::from(height);
    if to.width == 0 || to.height == 0 || to.width > side || to.height > side {
        return Err(Breach::ResizeSide { width: to.width, height: to.height, limit: side }.into());
    }
    // the first pass makes an image of the new width and the old height
    let (made, between) = (pixels(to.width, to.height), pixels(to.width, source.height()));
    if made.max(between) > most {
        return Err(Breach::ResizePixels { pixels: made.max(between), limit: most }.into());
    }
    // how many input pixels one output pixel is made of, each way, at most: shrinking reads each input pixel `support * 2` times
    let (filter, taps) = match filter {
        Filter::Nearest => (resize::Filter::Nearest, 1),
        Filter::Bilinear => (resize::Filter::Bilinear, 2),
        Filter::Lanczos3 => (resize::Filter::Lanczos, 6),
    };
    let touched = pixels(source.width(), source.height()).max(between) + between.max(made);
    state.charge(touched.saturating_mul(taps * Limits::PIXEL_CREDITS))?;
    state.hold(made as usize * 3)?;
    let image = resize::resize(&source, to.width, to.height, filter)?;
    Ok((state.insert(HostImage::made(image))?,))
}
