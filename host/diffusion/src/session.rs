//! Networks running on ONNX Runtime.
//!
//! One environment for the process, with telemetry off; every `Network` is one or more sessions ("lanes") of the same
//! graph. A lane runs one call at a time; a call takes an idle lane or waits for one, so a `Network` can be shared freely.
//! Lanes share the weights that stay in their file, but the runtime repacks matrices for its kernels in each of them, so
//! more than one lane is for small models, where two calls of one thread each beat one call of two threads.
//!
//! The thread count, the number of lanes and the batch size leave the results bit-identical (tested).

mod allocator;
mod binding;
mod blocks;
mod device;
mod driver;
mod environment;
mod fault;
mod in_place;
mod lanes;
mod placement;
mod precision;
mod probe;
mod provider;

use std::path::Path;
use std::sync::Arc;
use std::thread::ScopedJoinHandle;

pub(crate) use binding::Fixed;
pub(crate) use blocks::SPARE;
pub use device::{Device, UnknownDevice};
pub use driver::{Driver, Gpu};
pub use fault::{CudaVersion, DeviceError};
pub use in_place::InPlace;
pub(crate) use lanes::Lanes;
use ort::session::Session;
use ort::session::builder::{AutoDevicePolicy, GraphOptimizationLevel, SessionBuilder};
use ort::value::{DynValue, TensorRef};
use placement::Placement;
pub use placement::Placements;
pub use precision::{Precision, UnknownPrecision};

use crate::error::{Error, Result};
use crate::lora::Adapters;
use crate::runtime::RuntimeLibrary;
use crate::weights::Weights;
use crate::weights::doubled::Computed;

/// Loads the ONNX Runtime library that [`crate::runtime::find`] finds and starts it, as the first network would.
///
/// # Errors
/// [`Error::Runtime`] when none is found, [`Error::Library`] when the one found does not work.
pub fn start_runtime() -> Result<()> {
    start_device(Device::Cpu)
}

/// The options of the device's provider, for the record.
pub(crate) fn provider_options(options: &SessionOptions) -> String {
    provider::told(options)
}

/// What the GPU is called by its maker: others round otherwise. `None` on every other device.
pub(crate) fn gpu_name(device: Device) -> Option<String> {
    let Device::Cuda(number) = device else { return None };
    let driver = driver::Driver::find().ok()?;
    Some(driver.gpus.get(usize::try_from(number).ok()?)?.name.clone())
}

/// What the library for `device` says of how it was built; `None` where it does not start, which whoever uses it has words for.
pub(crate) fn runtime_build(device: Device) -> Option<&'static str> {
    environment::get(device).ok().map(|_| ort::info())
}

/// Starts the runtime for a device, as the first network on it would: finds the library, asks the driver, loads what the
/// provider needs. On another device than the CPU it also computes something there.
///
/// # Errors
/// [`Error::Runtime`] when no library is found, [`Error::Library`] when the one found does not work, [`Error::Device`] when
/// the device cannot be used.
pub fn start_device(device: Device) -> Result<()> {
    environment::get(device)?;
    if device == Device::Cpu { Ok(()) } else { probe::run(device) }
}

/// Whether the device runs networks in that format.
///
/// # Errors
/// [`DeviceError::Precision`] where it does not.
pub fn check_precision(device: Device, precision: Precision) -> Result<(), DeviceError> {
    provider::check_precision(device, device.graph_precision(precision), precision)
}

/// The execution providers of the library in use, and of the plugins registered into it.
#[must_use]
pub fn providers() -> Vec<String> {
    environment::providers()
}

/// The library in use, once something has been started.
#[must_use]
pub fn library() -> Option<RuntimeLibrary> {
    environment::library()
}

/// How networks run.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionOptions {
    /// Threads that share the work of one call; at least 1.
    pub threads: usize,
    /// Calls that can run at the same time; at least 1.
    pub lanes: usize,
    /// Where the work is done.
    pub device: Device,
    /// In which number format graphs and weights are.
    pub precision: Precision,
    /// What OpenVINO, which reads `f32` graphs, may round to inside; nothing to the others.
    pub rounding: Precision,
    /// Whether inputs that stay the same from call to call are kept on the device: pays where it has memory of its own.
    pub bind: bool,
    /// Is told which provider runs each network.
    pub placements: Placements,
    /// Whether threads without work stay awake: quicker for calls that follow each other with nothing beside them, and
    /// otherwise a core less for those beside.
    pub spin: bool,
    /// Whether weights are read where their file is mapped.
    pub in_place: InPlace,
    /// LoRA files that are added to the weights.
    pub adapters: Arc<Adapters>,
    /// How far networks are made.
    pub reach: Reach,
}

/// How far networks are made: a model can be checked by what a run makes of it, without the memory and the time of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Sessions, ready for calls.
    #[default]
    Sessions,
    /// Graphs that fit the weights, and every weight read once. Such a network cannot be called.
    Values,
    /// Graphs that fit the names and shapes of the weights. Such a network cannot be called.
    Graphs,
}

impl Default for SessionOptions {
    /// One call at a time on all cores of the CPU, in `f32`.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            threads,
            lanes: 1,
            device: Device::Cpu,
            precision: Precision::F32,
            rounding: Precision::F32,
            bind: false,
            placements: Placements::default(),
            spin: true,
            in_place: InPlace::default(),
            adapters: Arc::default(),
            reach: Reach::default(),
        }
    }
}

/// An input of a call.
#[derive(Clone, Copy)]
pub(crate) struct Input<'d> {
    pub(crate) name: &'static str,
    pub(crate) shape: &'d [usize],
    pub(crate) data: Data<'d>,
}

/// The values of an input.
#[derive(Clone, Copy)]
pub(crate) enum Data<'d> {
    F32(&'d [f32]),
    I64(&'d [i64]),
}

/// A loaded network. Its outputs are `f32`.
pub(crate) struct Network {
    name: String,
    lanes: Lanes,
    bind: bool,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Network {
    /// Loads an encoded graph whose weights are `weights`, and looks through those weights for NaN meanwhile.
    pub(crate) fn load(name: &str, model: &[u8], weights: &Weights, options: &SessionOptions) -> Result<Self> {
        match options.reach {
            Reach::Sessions => {}
            Reach::Values => return weights.check_finite().map(|()| Self::unopened(name)),
            Reach::Graphs => return Ok(Self::unopened(name)),
        }
        let computed = computed(name, weights, options)?;
        let sessions = std::thread::scope(|scope| {
            let finite = scope.spawn(|| weights.check_finite());
            // Loading is the work of one thread, so lanes load side by side.
            let lanes: Vec<_> = (0..options.lanes.max(1))
                .map(|_| scope.spawn(|| open_model(name, model, weights.root(), &computed, options)))
                .collect();
            let sessions = lanes.into_iter().map(joined).collect();
            // Damaged weights are the better explanation of whatever the runtime says.
            joined(finite).and(sessions)
        })?;
        Ok(Self { name: name.to_owned(), lanes: Lanes::new(sessions), bind: options.bind })
    }

    /// What is checked and never called.
    fn unopened(name: &str) -> Self {
        Self { name: name.to_owned(), lanes: Lanes::new(Vec::new()), bind: false }
    }

    /// Runs one call of which some inputs are the same in other calls; returns the values of its first output.
    pub(crate) fn run_under(&self, fixed: &Fixed<'_>, moving: &[Input<'_>], expected: usize) -> Result<Vec<f32>> {
        if !self.bind {
            let inputs: Vec<Input<'_>> = moving.iter().chain(fixed.inputs).copied().collect();
            return self.run(&inputs, expected);
        }
        let values = self.lanes.with_bound(|session, bound| bound.run(session, fixed, moving));
        let values = values.map_err(|error| failed(&self.name, error))?;
        if values.len() == expected { Ok(values) } else { Err(self.wrong_length(expected, values.len())) }
    }

    fn wrong_length(&self, expected: usize, found: usize) -> Error {
        let detail = format!("expected {expected} values, got {found}");
        Error::Network { network: self.name.clone(), detail }
    }

    /// Runs one call; returns the values of its only output, which the caller knows the shape of.
    pub(crate) fn run(&self, inputs: &[Input<'_>], expected: usize) -> Result<Vec<f32>> {
        let [values] = self.run_all(inputs, [expected])?;
        Ok(values)
    }

    /// Runs one call; returns the values of its first `N` outputs, which have `expected` values.
    pub(crate) fn run_all<const N: usize>(&self, inputs: &[Input<'_>], expected: [usize; N]) -> Result<[Vec<f32>; N]> {
        self.lanes.with(|session| self.run_on(session, inputs, expected))
    }

    fn run_on<const N: usize>(
        &self,
        session: &mut Session,
        inputs: &[Input<'_>],
        expected: [usize; N],
    ) -> Result<[Vec<f32>; N]> {
        let failed = |error: ort::Error| failed(&self.name, error);
        let mut values = Vec::with_capacity(inputs.len());
        for Input { name, shape, data } in inputs {
            let value = match *data {
                Data::F32(data) => TensorRef::from_array_view((*shape, data)).map_err(failed)?.into_dyn(),
                Data::I64(data) => TensorRef::from_array_view((*shape, data)).map_err(failed)?.into_dyn(),
            };
            values.push((*name, value));
        }
        let outputs = session.run(values).map_err(failed)?;
        let mut found = [const { Vec::new() }; N];
        for (output, (found, expected)) in found.iter_mut().zip(expected).enumerate() {
            let (_, data) = outputs[output].try_extract_tensor::<f32>().map_err(failed)?;
            if data.len() != expected {
                return Err(self.wrong_length(expected, data.len()));
            }
            *found = data.to_vec();
        }
        Ok(found)
    }
}

/// What a thread returned; its panic is passed on.
pub(crate) fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The session of an ONNX file, whose weights may lie beside it.
pub(crate) fn open_file(path: &Path, options: &SessionOptions) -> Result<Session> {
    let folder = path.parent().and_then(Path::to_str).unwrap_or_default();
    open(&path.display().to_string(), folder, options, |mut builder| builder.commit_from_file(path))
}

/// Values that no file holds, by name, shared by all sessions that read them.
type Values = [(String, Arc<DynValue>)];

/// What of its weights a graph reads as sums.
fn computed(name: &str, weights: &Weights, options: &SessionOptions) -> Result<Vec<(String, Arc<DynValue>)>> {
    // Values are the runtime's: it has to be there before the first of them, and this may be the first network of the program.
    environment::get(options.device)?;
    let values = weights.computed(options.threads * options.lanes.max(1))?.into_iter().map(|computed| {
        let Computed { name: value, dims, values } = computed;
        let tensor = ort::value::Tensor::from_array((dims, values)).map_err(|error| failed(name, error))?;
        Ok((value, Arc::new(tensor.into_dyn())))
    });
    values.collect()
}

/// The session of an encoded graph whose weights lie below `folder`, but for those that are `computed`.
pub(crate) fn open_model(
    name: &str,
    model: &[u8],
    folder: &Path,
    computed: &Values,
    options: &SessionOptions,
) -> Result<Session> {
    let root = folder.to_str().ok_or_else(|| Error::WeightsPlace {
        folder: folder.to_path_buf(),
        why: "the path is not Unicode".to_owned(),
    })?;
    open(name, root, options, |builder| {
        let with = |builder: SessionBuilder, (name, value): &(String, Arc<DynValue>)| {
            Ok::<_, ort::Error>(builder.with_initializer(name, Arc::clone(value))?)
        };
        computed.iter().try_fold(builder, with)?.commit_from_memory(model)
    })
}

/// A session on the device of the options, or an error: the runtime is not left to run on the CPU what it cannot run there.
fn open(
    name: &str,
    folder: &str,
    options: &SessionOptions,
    commit: impl FnOnce(SessionBuilder) -> ort::Result<Session>,
) -> Result<Session> {
    let device = options.device;
    provider::check_precision(device, options.precision, options.rounding)?;
    let environment = environment::get(device)?;
    let builder = SessionBuilder::new(&environment).and_then(|builder| configure(builder, options, folder));
    let builder = builder.map_err(|error| failed(name, error))?;
    let builder = provider::register(builder, &environment, options)
        .map_err(|error| DeviceError::Provider { device, why: error.to_string() })?;
    let session = commit(builder).map_err(|error| failed(name, error))?;
    let placed = if device == Device::Cpu {
        device.provider_name().to_owned()
    } else {
        let placement = Placement::of(&session).map_err(|error| failed(name, error))?;
        placement.check(name, device)?;
        placement.to_string()
    };
    options.placements.record(name, placed);
    Ok(session)
}

fn configure(builder: SessionBuilder, options: &SessionOptions, folder: &str) -> ort::Result<SessionBuilder> {
    // On other devices, what is left to the CPU is small.
    let builder = if options.device == Device::Cpu { builder.with_env_allocators()? } else { builder };
    Ok(builder
        // Not for speed alone: below this level, convolutions of a batch of one depend on the number of threads.
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(options.threads.max(1))?
        .with_inter_threads(1)?
        // From the second call of a shape on, a pattern is one block as large as all activations at their peak, beside what the first
        // call left in the arena: twice the memory for the same time.
        .with_memory_pattern(false)?
        // Without a policy, the runtime would pick accelerators by itself.
        .with_auto_device(AutoDevicePolicy::PreferCPU)?
        .with_intra_op_spinning(options.spin)?
        // What goes wrong is told to whoever called, once; a plugin must not be able to fill the user's terminal with it.
        .with_log_level(ort::logging::LogLevel::Fatal)?
        .with_config_entry("session.model_external_initializers_file_folder_path", folder)?)
}

fn failed(network: &str, error: ort::Error) -> Error {
    Error::Network { network: network.to_owned(), detail: error.to_string() }
}
