//! Attacks on `wasi:nn` that go past the SDK, which would not make such tensors.

#[cfg(target_family = "wasm")]
pub(crate) use raw::{compute, huge, keep_errors, keep_graphs, keep_tensors, many_inputs, own_model};

#[cfg(target_family = "wasm")]
mod raw {
    use difftest_sdk::bindings::host::wasi::nn::errors::Error as Fault;
    use difftest_sdk::bindings::host::wasi::nn::graph::{self, ExecutionTarget, GraphEncoding};
    use difftest_sdk::bindings::host::wasi::nn::tensor::{Tensor, TensorType};
    use difftest_sdk::{Error, Score};

    use crate::attacks::succeeded;

    /// The host's words, so that the test can read them.
    fn told(fault: &Fault) -> Error {
        Error::other(format!("{:?}: {}", fault.code(), fault.data()))
    }

    /// Runs `head` on tensors of these names, shapes and bytes.
    pub(crate) fn compute(inputs: &[(&str, &[u32], &[u8])]) -> Result<Score, Error> {
        let tensor = |&(name, shape, bytes): &(&str, &[u32], &[u8])| {
            (name.to_owned(), Tensor::new(shape, TensorType::Fp32, bytes))
        };
        let context = graph::load_by_name("head").and_then(|graph| graph.init_execution_context());
        let outputs = context.and_then(|context| context.compute(inputs.iter().map(tensor).collect()));
        outputs.map(|_| succeeded("computed")).map_err(|fault| told(&fault))
    }

    pub(crate) fn many_inputs() -> Result<Score, Error> {
        let names: Vec<_> = (0..100).map(|i| format!("x{i}")).collect();
        let inputs: Vec<_> = names.iter().map(|name| (name.as_str(), &[1u32][..], &[0u8; 4][..])).collect();
        compute(&inputs)
    }

    pub(crate) fn own_model() -> Result<Score, Error> {
        let model = graph::load(&[vec![8; 1_000]], GraphEncoding::Onnx, ExecutionTarget::Gpu);
        model.map(|_| succeeded("ran a model of its own")).map_err(|fault| told(&fault))
    }

    pub(crate) fn huge() -> Result<Score, Error> {
        let tensor = Tensor::new(&[80 << 20], TensorType::U8, &vec![1; 80 << 20]);
        succeeded(&format!("gave the host {} bytes at once", tensor.data().len()))
    }

    pub(crate) fn keep_tensors() -> Result<Score, Error> {
        let bytes = vec![1; 16 << 20];
        let hoard: Vec<_> = (0..1_000).map(|_| Tensor::new(&[16 << 20], TensorType::U8, &bytes)).collect();
        succeeded(&format!("made the host hold {} tensors", hoard.len()))
    }

    pub(crate) fn keep_graphs() -> Result<Score, Error> {
        let hoard: Vec<_> = (0..10_000).map(|_| graph::load_by_name("head")).collect();
        succeeded(&format!("holds {} graphs", hoard.len()))
    }

    pub(crate) fn keep_errors() -> Result<Score, Error> {
        let hoard: Vec<_> = (0..10_000).map(|i| graph::load_by_name(&format!("model {i}"))).collect();
        succeeded(&format!("holds {} errors", hoard.len()))
    }
}

/// Elsewhere there is no host to attack.
#[cfg(not(target_family = "wasm"))]
mod none {
    use difftest_sdk::{Error, Score};

    fn nobody() -> Result<Score, Error> {
        Err(Error::other("there is no host"))
    }

    pub(crate) fn compute(_: &[(&str, &[u32], &[u8])]) -> Result<Score, Error> {
        nobody()
    }

    macro_rules! nobody {
        ($($name:ident),*) => {
            $(pub(crate) fn $name() -> Result<Score, Error> {
                nobody()
            })*
        };
    }

    nobody!(huge, keep_errors, keep_graphs, keep_tensors, many_inputs, own_model);
}

#[cfg(not(target_family = "wasm"))]
pub(crate) use none::{compute, huge, keep_errors, keep_graphs, keep_tensors, many_inputs, own_model};
