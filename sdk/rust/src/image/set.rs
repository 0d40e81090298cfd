//! The set of images that a set metric looks at.

#[cfg(target_family = "wasm")]
use ref_cast::RefCast;
use std::fmt;

use super::{Image, SetSource};

/// Images in a fixed order; immutable. It is lazy: an image is decoded when it is asked for, so a set of any size fits.
///
/// The host keeps the pixels of an image for as long as the image exists: let go of one before the next is asked for, as a loop
/// over [`ImageSet::iter`] does, instead of collecting all of them.
#[cfg_attr(target_family = "wasm", derive(RefCast))]
#[repr(transparent)]
pub struct ImageSet(pub(super) SetSource);

impl ImageSet {
    /// How many images there are.
    #[must_use]
    pub fn len(&self) -> usize {
        // u32 in the contract, which fits wherever the SDK runs.
        usize::try_from(self.0.len()).unwrap_or(usize::MAX)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The image at this place, from 0; `None` from [`ImageSet::len`] on. Asking again decodes again.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Image> {
        self.0.get(index.try_into().ok()?).map(Image)
    }

    /// All images in order, each decoded when its turn comes.
    #[must_use]
    pub fn iter(&self) -> Images<'_> {
        Images { set: self, next: 0, end: self.len() }
    }
}

impl<'a> IntoIterator for &'a ImageSet {
    type Item = Image;
    type IntoIter = Images<'a>;

    fn into_iter(self) -> Images<'a> {
        self.iter()
    }
}

impl fmt::Debug for ImageSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImageSet({})", self.len())
    }
}

/// The iterator of [`ImageSet::iter`]. Images that are skipped are not decoded.
#[derive(Clone, Debug)]
pub struct Images<'a> {
    set: &'a ImageSet,
    next: usize,
    end: usize,
}

impl Iterator for Images<'_> {
    type Item = Image;

    fn next(&mut self) -> Option<Image> {
        self.nth(0)
    }

    fn nth(&mut self, skipped: usize) -> Option<Image> {
        let index = self.next.saturating_add(skipped).min(self.end);
        self.next = index.saturating_add(1).min(self.end);
        if index < self.end { self.set.get(index) } else { None }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Images<'_> {}
