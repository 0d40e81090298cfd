//! Models for unit tests: a closure that answers in the host's place. Not on WebAssembly.
//!
//! ```
//! use difftest_sdk::Error;
//! use difftest_sdk::nn::{Graph, Tensor, testing::with_graphs};
//!
//! let double = |graph: &str, inputs: &[(&str, &Tensor)]| match (graph, inputs) {
//!     ("double", [("x", x)]) => {
//!         let values: Vec<f32> = x.values()?.into_iter().map(|value: f32| value * 2.0).collect();
//!         Ok(vec![("y".to_owned(), Tensor::new(x.shape(), &values)?)])
//!     }
//!     _ => Err(Error::other("this test has one graph, `double` from `x` to `y`")),
//! };
//! with_graphs(double, || {
//!     let outputs = Graph::by_name("double")?.compute(&[("x", Tensor::new(&[2], &[1.0f32, 3.0])?)])?;
//!     assert_eq!(outputs[0].1.values::<f32>()?, [2.0, 6.0]);
//!     Ok::<_, Error>(())
//! }).unwrap();
//! ```

use std::cell::RefCell;
use std::rc::Rc;

use super::Tensor;
use crate::Error;
use crate::double::{self, Slot};

type Graphs = dyn Fn(&str, &[(&str, &Tensor)]) -> Result<Vec<(String, Tensor)>, Error>;

thread_local! {
    static GRAPHS: Slot<Graphs> = const { RefCell::new(None) };
}

/// Runs `body`; whatever it infers on this thread, `graphs` answers, given the graph's name and the inputs. Every name can be
/// loaded: refuse the unknown ones in the closure.
pub fn with_graphs<R>(
    graphs: impl Fn(&str, &[(&str, &Tensor)]) -> Result<Vec<(String, Tensor)>, Error> + 'static,
    body: impl FnOnce() -> R,
) -> R {
    double::with(&GRAPHS, Rc::new(graphs), body)
}

fn graphs() -> Result<Rc<Graphs>, Error> {
    double::get(&GRAPHS).ok_or_else(|| {
        Error::other(
            "models run in difftest, which a unit test runs without: answer in its place with \
             `difftest_sdk::nn::testing::with_graphs`",
        )
    })
}

#[derive(Debug)]
pub(super) struct Source(String);

impl Source {
    pub(super) fn by_name(name: &str) -> Result<Self, Error> {
        graphs().map(|_| Self(name.to_owned()))
    }

    pub(super) fn compute(&self, inputs: &[(&str, &Tensor)]) -> Result<Vec<(String, Tensor)>, Error> {
        graphs()?(&self.0, inputs)
    }
}
