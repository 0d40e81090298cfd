//! Inputs that stay on the device from call to call.
//!
//! The texts of an image are the same in all its steps, and with Stable Diffusion XL they are many times larger than its
//! latents. On a device with memory of its own they are copied there once; a step then moves latents and time only.

use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, Session};
use ort::value::Tensor;

use super::{Data, Input};

/// Inputs of a call that other calls had or will have too.
pub(crate) struct Fixed<'d> {
    /// Who has the same key has the same values.
    pub(crate) key: u64,
    pub(crate) inputs: &'d [Input<'d>],
}

/// What is bound in one session, the last used at the end.
#[derive(Default)]
pub(super) struct Bound(Vec<(u64, IoBinding)>);

/// Sets of inputs that one session keeps on the device: calls of several images take turns.
const KEPT: usize = 4;

impl Bound {
    /// Runs one call; gives the values of the first output.
    pub(super) fn run(
        &mut self,
        session: &mut Session,
        fixed: &Fixed<'_>,
        moving: &[Input<'_>],
    ) -> ort::Result<Vec<f32>> {
        let mut binding = self.take(session, fixed)?;
        for input in moving {
            bind(&mut binding, input)?;
        }
        binding.synchronize_inputs()?;
        let values = {
            let outputs = session.run_binding(&binding)?;
            binding.synchronize_outputs()?;
            outputs[0].try_extract_tensor::<f32>()?.1.to_vec()
        };
        // Only after a call that worked: whatever a failed one left behind is dropped with its binding.
        self.0.push((fixed.key, binding));
        Ok(values)
    }

    /// The binding with the fixed inputs in place, taken out of the list.
    fn take(&mut self, session: &Session, fixed: &Fixed<'_>) -> ort::Result<IoBinding> {
        if let Some(place) = self.0.iter().position(|(key, _)| *key == fixed.key) {
            return Ok(self.0.remove(place).1);
        }
        if self.0.len() >= KEPT {
            self.0.remove(0);
        }
        let mut binding = session.create_binding()?;
        for input in fixed.inputs {
            bind(&mut binding, input)?;
        }
        let host = MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Device, MemoryType::CPUOutput)?;
        if let Some(output) = session.outputs().first() {
            binding.bind_output_to_device(output.name(), &host)?;
        }
        Ok(binding)
    }
}

/// Binds owned values: where the device is the processor itself, the runtime reads them in place.
fn bind(binding: &mut IoBinding, Input { name, shape, data }: &Input<'_>) -> ort::Result<()> {
    match *data {
        Data::F32(data) => binding.bind_input(*name, &Tensor::from_array((shape.to_vec(), data.to_vec()))?),
        Data::I64(data) => binding.bind_input(*name, &Tensor::from_array((shape.to_vec(), data.to_vec()))?),
    }
}
