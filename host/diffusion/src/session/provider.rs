//! The options of each execution provider.

use ort::device::Device as Hardware;
use ort::environment::Environment;
use ort::ep;
use ort::memory::DeviceType;
use ort::session::builder::SessionBuilder;

use super::{Device, DeviceError, Precision, SessionOptions};

/// Registers what the device needs; a runtime without it is an error, never a silent run on the CPU.
pub(super) fn register(
    builder: SessionBuilder,
    environment: &Environment,
    options: &SessionOptions,
) -> ort::Result<SessionBuilder> {
    let device = options.device;
    let provider = match device {
        // By name: where a plugin is registered, the policy for CPUs would choose that.
        Device::Cpu => return Ok(builder.with_devices(processors(environment, device), None)?),
        Device::Cuda(number) => ep::CUDA::default()
            .with_device_id(number)
            // Both defaults trade repeatable results for speed: 10 bits of fraction instead of 23 in f32 products, and
            // whichever convolution was fastest when it was tried.
            .with_tf32(false)
            .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic)
            .build(),
        Device::CoreMl => ep::CoreML::default().with_model_format(ep::coreml::ModelFormat::MLProgram).build(),
        Device::OpenVino => {
            let config = vec![(format!("{}.load_config", device.provider_name()), openvino_config(options))];
            let builder = builder.with_devices(processors(environment, device), Some(&config))?;
            return Ok(builder.with_config_entry(RECORD, "1")?);
        }
    };
    let builder = builder.with_execution_providers([provider.error_on_failure()])?;
    Ok(builder.with_deterministic_compute(true)?.with_config_entry(RECORD, "1")?)
}

/// The options that [`register`] sets, for the record.
pub(super) fn told(options: &SessionOptions) -> String {
    match options.device {
        Device::Cpu => "none".to_owned(),
        Device::Cuda(_) => "use_tf32=0 cudnn_conv_algo_search=HEURISTIC use_deterministic_compute=1".to_owned(),
        Device::CoreMl => "ModelFormat=MLProgram use_deterministic_compute=1".to_owned(),
        Device::OpenVino => openvino_config(options),
    }
}

/// Asks the runtime to keep which provider got which node, for `placement`.
const RECORD: &str = "session.record_ep_graph_assignment_info";

/// The processor, as the device's provider offers it.
pub(super) fn processors(environment: &Environment, device: Device) -> impl Iterator<Item = Hardware<'_>> {
    let ours = move |found: &Hardware<'_>| {
        found.ep().is_ok_and(|name| name == device.provider_name()) && found.hardware_device().ty() == DeviceType::CPU
    };
    environment.devices().filter(ours).take(1)
}

/// OpenVINO's own settings. Where nothing is said, it rounds to bf16 on processors that are made for it.
fn openvino_config(options: &SessionOptions) -> String {
    let precision = match options.rounding {
        Precision::F32 => "f32",
        Precision::F16 => "f16",
        Precision::Bf16 => "bf16",
    };
    serde_json::json!({ "CPU": {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": options.threads.max(1).to_string(),
        "NUM_STREAMS": "1",
    }})
    .to_string()
}

/// Whether the device works in these formats.
pub(super) fn check_precision(device: Device, graph: Precision, rounding: Precision) -> Result<(), DeviceError> {
    let refused = match device {
        Device::Cuda(_) => [graph].into_iter().find(|&format| format == Precision::Bf16),
        // half is slow here, and only good to look at what a GPU would round
        Device::Cpu => [graph].into_iter().find(|&format| format == Precision::Bf16),
        Device::CoreMl => [graph].into_iter().find(|&format| format != Precision::F32),
        Device::OpenVino if graph != Precision::F32 => Some(graph),
        Device::OpenVino => [rounding].into_iter().find(|&format| format == Precision::F16),
    };
    refused.map_or(Ok(()), |precision| Err(DeviceError::Precision { device, precision }))
}
