//! Images and sets of them that live in the host: a handle each.

use ref_cast::RefCast;

use super::{Filter, Image, ImageSet, Size};
use crate::bindings::host::difftest::plugin::media;

#[derive(RefCast)]
#[repr(transparent)]
pub struct Source(media::Image);

impl Image {
    /// The image behind a handle that the host lends for one call.
    pub(crate) fn lent(handle: &media::Image) -> &Self {
        Self::ref_cast(Source::ref_cast(handle))
    }

    /// The handle, to lend it back to the host.
    pub(crate) fn handle(&self) -> &media::Image {
        &self.0.0
    }
}

#[derive(RefCast)]
#[repr(transparent)]
pub struct SetSource(media::ImageSet);

impl ImageSet {
    /// The set behind a handle that the host lends for one call.
    pub(crate) fn lent(handle: &media::ImageSet) -> &Self {
        Self::ref_cast(SetSource::ref_cast(handle))
    }

    /// The handle, to lend it back to the host.
    pub(crate) fn handle(&self) -> &media::ImageSet {
        &self.0.0
    }
}

impl SetSource {
    pub(super) fn len(&self) -> u32 {
        self.0.len()
    }

    pub(super) fn get(&self, index: u32) -> Option<Source> {
        self.0.at(index).map(Source)
    }
}

impl Source {
    pub(super) fn size(&self) -> Size {
        let media::Size { width, height } = self.0.size();
        Size { width, height }
    }

    pub(super) fn rgb8(&self) -> Vec<u8> {
        self.0.rgb8()
    }

    pub(super) fn luma8(&self) -> Vec<u8> {
        self.0.luma8()
    }

    pub(super) fn rows(&self, first: u32, count: u32) -> Vec<u8> {
        self.0.rows(first, count)
    }

    pub(super) fn digest(&self) -> String {
        self.0.digest()
    }

    pub(super) fn resize(&self, Size { width, height }: Size, filter: Filter) -> Self {
        let filter = match filter {
            Filter::Nearest => media::Filter::Nearest,
            Filter::Bilinear => media::Filter::Bilinear,
            Filter::Lanczos3 => media::Filter::Lanczos3,
        };
        Self(self.0.resize(media::Size { width, height }, filter))
    }
}
