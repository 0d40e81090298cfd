//! One convolution on a device: the shortest proof that it works, its libraries included.

use ort::value::TensorRef;

use super::{Device, DeviceError, SessionOptions, open_model};
use crate::error::{Error, Result};
use crate::onnx::{Dim, ElementType, GraphBuilder};

/// A patch whose values add up to [`SUM`].
const PATCH: [f32; 9] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
const SUM: f32 = 36.0;

/// Adds up a patch by a convolution with ones, in `f32`.
///
/// # Errors
/// What starting the device gives; [`DeviceError::Provider`] when it does not compute.
pub(super) fn run(device: Device) -> Result<()> {
    let shape = [1, 1, 3, 3];
    let mut graph = GraphBuilder::new();
    let patch = graph.input("patch", ElementType::F32, &shape.map(Dim::Fixed));
    let ones = graph.floats(&[1.0; 9], &shape);
    let sum = graph.op("Conv", &[&patch, &ones], &[]);
    graph.output("sum", &sum);
    let options = SessionOptions { device, threads: 1, spin: false, ..SessionOptions::default() };
    let failed = |why: String| DeviceError::Provider { device, why };
    let mut session = open_model("a convolution", &graph.finish("probe"), ".".as_ref(), &[], &options).map_err(
        |error| match error {
            Error::Network { detail, .. } => failed(detail).into(),
            other => other,
        },
    )?;
    let mut compute = || -> ort::Result<Vec<f32>> {
        let outputs = session.run(ort::inputs!["patch" => TensorRef::from_array_view((shape, &PATCH[..]))?])?;
        Ok(outputs[0].try_extract_tensor::<f32>()?.1.to_vec())
    };
    let computed = compute().map_err(|error| failed(error.to_string()))?;
    if computed == [SUM] {
        Ok(())
    } else {
        Err(failed(format!("it computes {computed:?} where {SUM} is right")).into())
    }
}
