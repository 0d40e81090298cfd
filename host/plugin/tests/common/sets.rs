//! Sets of images in memory, one of which may be unreadable.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use difftest_core::image::Image;
use difftest_core::metric::{ImageSet, MetricError};

/// Gradients of growing size; counts how often one is read.
pub struct Gradients {
    sides: Vec<u32>,
    unreadable: Option<usize>,
    pub reads: AtomicUsize,
}

impl Gradients {
    pub fn new(sides: impl IntoIterator<Item = u32>) -> Arc<Self> {
        Arc::new(Self { sides: sides.into_iter().collect(), unreadable: None, reads: AtomicUsize::new(0) })
    }

    /// The same, with a file that is gone.
    pub fn without(sides: impl IntoIterator<Item = u32>, index: usize) -> Arc<dyn ImageSet> {
        let sides = sides.into_iter().collect();
        Arc::new(Self { sides, unreadable: Some(index), reads: AtomicUsize::new(0) })
    }
}

impl ImageSet for Gradients {
    fn len(&self) -> usize {
        self.sides.len()
    }

    fn get(&self, index: usize) -> Result<Image, MetricError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.unreadable == Some(index) {
            return Err(MetricError {
                kind: "images".into(),
                message: "`cats/7.png` is gone".into(),
                hint: Some("run again".into()),
            });
        }
        Ok(super::image(self.sides[index], self.sides[index] + 3))
    }
}
