//! Which provider got which nodes of a graph, as the runtime itself says once a session is made.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};
use std::fmt;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use ort::AsPointer as _;
use ort::session::Session;
use ort::sys::OrtStatusPtr;

use super::{Device, DeviceError};

/// Operators whose work is the network's: none of them may be left to the CPU by a device that was asked for. Others are
/// shapes and indices, which providers give to the CPU on purpose.
const WORK: [&str; 13] = [
    "Attention",
    "Conv",
    "ConvTranspose",
    "FusedConv",
    "FusedMatMul",
    "Gemm",
    "GroupNorm",
    "GroupNormalization",
    "InstanceNormalization",
    "LayerNormalization",
    "MatMul",
    "MultiHeadAttention",
    "NhwcConv",
];

/// Nodes of one graph by provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Placement {
    /// Provider to operator to number of nodes.
    nodes: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Placement {
    /// Asks the runtime, which has to have been told to keep it before the session was made.
    pub(super) fn of(session: &Session) -> ort::Result<Self> {
        let api = ort::api();
        let mut nodes: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        #[expect(unsafe_code, reason = "ort has no call for it: the runtime is asked through its C interface")]
        // SAFETY: the functions are of the version that ort has checked the library for. Arrays and strings belong to the
        // session, which is borrowed for as long as they are read, and are whole where the call before them succeeded.
        unsafe {
            let (mut graphs, mut count) = (ptr::null(), 0);
            let status = (api.Session_GetEpGraphAssignmentInfo)(session.ptr(), &raw mut graphs, &raw mut count);
            ort::Error::<()>::result_from_status(status)?;
            for &graph in slice(graphs, count) {
                let provider = text(|out| (api.EpAssignedSubgraph_GetEpName)(graph, out))?;
                let operators = nodes.entry(provider).or_default();
                let (mut of_graph, mut count) = (ptr::null(), 0);
                let status = (api.EpAssignedSubgraph_GetNodes)(graph, &raw mut of_graph, &raw mut count);
                ort::Error::<()>::result_from_status(status)?;
                for &node in slice(of_graph, count) {
                    *operators.entry(text(|out| (api.EpAssignedNode_GetOperatorType)(node, out))?).or_default() += 1;
                }
            }
        }
        Ok(Self { nodes })
    }

    /// Refuses a session whose work the device has left to another.
    pub(super) fn check(&self, network: &str, device: Device) -> Result<(), DeviceError> {
        let mine = device.provider_name();
        let others = self.nodes.iter().filter(|(provider, _)| *provider != mine).flat_map(|(_, operators)| operators);
        let left: Vec<_> = others
            .filter(|(operator, _)| WORK.contains(&operator.as_str()) || !self.nodes.contains_key(mine))
            .map(|(operator, count)| format!("{count} {operator}"))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        Err(DeviceError::LeftToCpu { network: network.to_owned(), device, left: left.join(", ") })
    }
}

impl fmt::Display for Placement {
    /// `CUDAExecutionProvider 812, CPUExecutionProvider 3`: most nodes first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts: Vec<_> =
            self.nodes.iter().map(|(provider, operators)| (operators.values().sum::<usize>(), provider)).collect();
        counts.sort_by(|a, b| b.cmp(a));
        let counts: Vec<_> = counts.into_iter().map(|(count, provider)| format!("{provider} {count}")).collect();
        f.write_str(&counts.join(", "))
    }
}

/// Where networks came to run: one record for all that is loaded with clones of the same options.
#[derive(Debug, Clone, Default)]
pub struct Placements(Arc<Mutex<BTreeMap<String, String>>>);

impl PartialEq for Placements {
    /// The same record.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Placements {}

impl Placements {
    pub(super) fn record(&self, network: &str, placement: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(network.to_owned(), placement);
    }

    /// Network and the providers of its nodes, by name of the network; networks that were not needed are not in it.
    #[must_use]
    pub fn list(&self) -> Vec<(String, String)> {
        let placed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        placed.iter().map(|(network, providers)| (network.clone(), providers.clone())).collect()
    }
}

/// An array of the runtime, which may be null where it is empty.
#[expect(unsafe_code, reason = "reads an array of the runtime")]
unsafe fn slice<'a, T>(start: *const T, count: usize) -> &'a [T] {
    // SAFETY: the caller has both from one successful call.
    if start.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(start, count) } }
}

/// The string that a call of the runtime gives.
fn text(call: impl FnOnce(*mut *const c_char) -> OrtStatusPtr) -> ort::Result<String> {
    let mut start = ptr::null();
    let status = call(&raw mut start);
    #[expect(unsafe_code, reason = "takes a status and a string of the runtime")]
    // SAFETY: the status is the call's own; the string is there where it succeeded.
    unsafe {
        ort::Error::<()>::result_from_status(status)?;
        Ok(if start.is_null() { String::new() } else { CStr::from_ptr(start).to_string_lossy().into_owned() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn placement(nodes: &[(&str, &str, usize)]) -> Placement {
        let mut placement = Placement::default();
        for &(provider, operator, count) in nodes {
            placement.nodes.entry(provider.to_owned()).or_default().insert(operator.to_owned(), count);
        }
        placement
    }

    #[test]
    fn shapes_may_stay_on_the_cpu_and_work_may_not() {
        let cuda = "CUDAExecutionProvider";
        let cpu = "CPUExecutionProvider";
        let good = placement(&[(cuda, "Conv", 60), (cuda, "MatMul", 40), (cpu, "Gather", 3)]);
        good.check("the UNet", Device::Cuda(0)).unwrap();
        assert_eq!(good.to_string(), "CUDAExecutionProvider 100, CPUExecutionProvider 3");

        let slow = placement(&[(cuda, "Conv", 60), (cpu, "Gather", 3), (cpu, "MultiHeadAttention", 16)]);
        let error = slow.check("the UNet", Device::Cuda(0)).unwrap_err();
        assert_eq!(error.to_string(), "the UNet: CUDAExecutionProvider would leave 16 MultiHeadAttention to the CPU");

        let none = placement(&[(cpu, "Add", 1)]);
        assert!(none.check("a graph", Device::Cuda(0)).is_err(), "nothing at all runs on the device");
    }
}
