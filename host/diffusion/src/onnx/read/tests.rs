//! Files as exporters write them, and files that nobody should have written.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::Cursor;

use prost::encoding::encode_varint;

use super::{Element, Extent, GraphFile, Port, Widened};
use crate::onnx::relocate;

/// A field of bytes.
fn field(number: u64, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_varint(number << 3 | 2, &mut out);
    encode_varint(content.len() as u64, &mut out);
    out.extend_from_slice(content);
    out
}

fn varint(number: u64, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    encode_varint(number << 3, &mut out);
    encode_varint(value, &mut out);
    out
}

fn model(graph: &[u8]) -> Vec<u8> {
    let opset = |domain: &str, version| field(8, &[field(1, domain.as_bytes()), varint(2, version)].concat());
    let names = [field(2, b"pytorch"), field(3, b"2.1.2")].concat();
    [varint(1, 8), names, opset("", 14), opset("com.microsoft", 1), field(7, graph)].concat()
}

fn node(operator: &str, domain: &str, attributes: &[u8]) -> Vec<u8> {
    field(1, &[field(4, operator.as_bytes()), attributes.to_vec(), field(7, domain.as_bytes())].concat())
}

/// An initialiser of 6 floats in `file`, from `offset` on; with its length or without.
fn weight(name: &str, file: &str, offset: u64, length: Option<u64>) -> Vec<u8> {
    let entry = |key: &str, value: &str| field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat());
    let length = length.map(|length| entry("length", &length.to_string())).unwrap_or_default();
    let place = [entry("location", file), entry("offset", &offset.to_string()), length].concat();
    field(5, &[field(1, &[2, 3]), varint(2, 1), field(8, name.as_bytes()), place, varint(14, 1)].concat())
}

fn port(name: &str, element: u64, dims: &[&[u8]]) -> Vec<u8> {
    let shape: Vec<u8> = dims.iter().flat_map(|dim| field(1, dim)).collect();
    let tensor = [varint(1, element), field(2, &shape)].concat();
    [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
}

fn read(model: &[u8]) -> Result<GraphFile, String> {
    GraphFile::parse(Cursor::new(model), model.len() as u64)
}

#[test]
fn subgraphs_and_functions_count_and_constants_are_no_inputs() {
    let inner = [node("NhwcConv", "com.microsoft", &[]), weight("b", "data", 100, None)].concat();
    let branch = field(5, &field(6, &inner));
    let constant = field(5, &field(5, &weight("c", "more", 0, Some(10))[2..]));
    let dims: [&[u8]; 3] = [&field(2, b"batch"), &varint(1, 4), &[]];
    let graph = [
        node("If", "", &branch),
        node("Constant", "ai.onnx", &constant),
        weight("a", "data", 0, Some(24)),
        field(11, &port("x", 10, &dims)),
        // as files before version 4 of the format list them
        field(11, &port("a", 1, &[])),
        field(12, &port("y", 99, &[])),
    ]
    .concat();
    let function = field(25, &field(7, &[field(4, b"GroupNorm"), field(7, b"other")].concat()));
    let file = read(&[model(&graph), function].concat()).unwrap();
    assert_eq!((file.producer.as_str(), file.opset), ("pytorch 2.1.2", 14));
    let shape = vec![Extent::Named("batch".to_owned()), Extent::Fixed(4), Extent::Any];
    assert_eq!(file.inputs, [Port { name: "x".to_owned(), element: Element::F16, shape: Some(shape) }]);
    assert_eq!(file.inputs[0].to_string(), "`x` float16[batch, 4, ?]");
    assert_eq!(file.outputs[0].element, Element::Other(99));
    let operators: Vec<_> = file.operators.iter().map(|(domain, name)| format!("{domain}.{name}")).collect();
    assert_eq!(operators, ["com.microsoft.NhwcConv", "other.GroupNorm"]);
    // Without a length, it follows from shape and type.
    let files: Vec<_> = file.external.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    assert_eq!(files, [("data", 124), ("more", 10)]);
    assert_eq!(file.widened, Widened { inside: 0, beside: 3 * 24 }, "six floats each");
}

#[test]
fn half_precision_counts_as_the_processor_computes_with_it() {
    let tensor = |kind: u64| field(5, &[field(1, &[2, 3]), varint(2, kind)].concat());
    // f16, bf16, f32, f64, int8, int64, and a type that nobody knows
    for (kind, bytes) in [(10, 24), (16, 24), (1, 24), (11, 48), (3, 6), (7, 48), (99, 0)] {
        let found = read(&model(&tensor(kind))).unwrap().widened;
        assert_eq!(found, Widened { inside: bytes, beside: 0 }, "type {kind}");
    }
}

#[test]
fn what_is_kept_is_bounded() {
    let refused = |graph: &[u8], why: &str| {
        let error = read(&model(graph)).unwrap_err();
        assert!(error.contains(why), "{error}");
    };
    let many = |count: usize, of: &dyn Fn(usize) -> Vec<u8>| (0..count).flat_map(of).collect::<Vec<u8>>();
    refused(&many(10_000, &|i| field(11, &port(&i.to_string(), 1, &[]))), "inputs or outputs");
    refused(&many(2_000, &|i| node(&i.to_string(), "d", &[])), "kinds of operators");
    refused(&many(5_000, &|i| weight("w", &i.to_string(), 0, None)), "weights in more than");
    refused(&field(11, &port("x", 1, &[&[] as &[u8]; 40])), "dimensions");
    refused(&field(11, &port(&"x".repeat(5_000), 1, &[])), "a name of 5000 bytes");
    let mut nested = Vec::new();
    for _ in 0..2_000 {
        nested = node("If", "", &field(5, &field(6, &nested)));
    }
    refused(&nested, "nested deeper");
    // Numbers that add up to more than there is room for.
    let huge = read(&model(&weight("w", "data", u64::MAX, Some(u64::MAX)))).unwrap();
    assert_eq!(huge.external["data"], u64::MAX);
    assert!(read(&varint(1, 8)).unwrap_err().contains("no graph"));
    assert!(read(b"").is_err() && read(b"version https://git-lfs.github.com/spec/v1\n").is_err());
}

#[test]
fn damage_anywhere_is_an_answer_and_never_a_panic() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/ready/external-data/model.onnx");
    let whole = std::fs::read(path).unwrap();
    read(&whole).unwrap();
    let places = HashMap::from([("model.onnx_data".to_owned(), "elsewhere".to_owned())]);
    let mut errors = 0;
    for at in (0..whole.len()).step_by(97) {
        errors += usize::from(read(&whole[..at]).is_err());
        for value in [0x00, 0x7f, 0xff, whole[at] ^ 0x08] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            errors += usize::from(read(&damaged).is_err());
            let _ = relocate(&damaged, &places);
        }
    }
    assert!(errors > whole.len() / 97, "{errors}");
}
