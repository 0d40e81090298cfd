//! An ONNX model whose weights lie elsewhere than it says.
//!
//! Snapshots of the hub's cache are links into a folder where files are named by their digest, and the runtime refuses weights
//! that a link leads out of the model's folder. So the model is given to it from memory, with the places that the links lead to.

use std::collections::HashMap;
use std::io::Cursor;

use super::read::{Field, Message, Value, Wire, WireError};

/// Deepest nesting of messages; [`super::read::GraphFile::read`] has accepted the file before.
const DEEPEST: usize = 256;

/// `model` with every weight in a file that `places` knows moved to the file it names; all else stays as it is, byte for byte.
///
/// # Errors
/// When the bytes are not an ONNX model.
pub(crate) fn relocate(model: &[u8], places: &HashMap<String, String>) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(model.len() + 1024);
    copy(Message::Model, model, places, &mut out, 0).map_err(|error| error.to_string())?;
    Ok(out)
}

fn copy(
    message: Message,
    bytes: &[u8],
    places: &HashMap<String, String>,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), WireError> {
    if depth > DEEPEST {
        return Err(WireError::TooMuch(format!("messages nested deeper than {DEEPEST}")));
    }
    if message == Message::Place {
        return copy_place(bytes, places, out);
    }
    let mut wire = Wire::new(Cursor::new(bytes));
    let end = bytes.len() as u64;
    loop {
        let start = wire.at();
        let Some(Field { number, value }) = wire.field(end)? else { return Ok(()) };
        let Value::Until(after) = value else {
            out.extend_from_slice(part(bytes, start, wire.at()));
            continue;
        };
        match message.inner(number) {
            Some(inner) => {
                let mut changed = Vec::new();
                copy(inner, part(bytes, wire.at(), after), places, &mut changed, depth + 1)?;
                put(out, number, &changed);
            }
            None => out.extend_from_slice(part(bytes, start, after)),
        }
        wire.skip_to(after)?;
    }
}

/// A `StringStringEntryProto`, with its value replaced where it is the location of a known file.
fn copy_place(bytes: &[u8], places: &HashMap<String, String>, out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut wire = Wire::new(Cursor::new(bytes));
    let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
    while let Some(field) = wire.field(bytes.len() as u64)? {
        if let Value::Until(after) = field.value {
            let content = part(bytes, wire.at(), after);
            match field.number {
                1 => key = content,
                2 => value = content,
                _ => {}
            }
            wire.skip_to(after)?;
        }
    }
    let known = std::str::from_utf8(value).ok().filter(|_| key == b"location").and_then(|name| places.get(name));
    put(out, 1, key);
    put(out, 2, known.map_or(value, |place| place.as_bytes()));
    Ok(())
}

/// Positions come from a reader of the same bytes.
fn part(bytes: &[u8], start: u64, end: u64) -> &[u8] {
    &bytes[start as usize..end as usize]
}

/// A field of bytes.
fn put(out: &mut Vec<u8>, number: u32, content: &[u8]) {
    const LENGTH: u32 = 2;
    prost::encoding::encode_varint(u64::from(number << 3 | LENGTH), out);
    prost::encoding::encode_varint(content.len() as u64, out);
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::read::GraphFile;
    use super::super::{Dim, ElementType, External, GraphBuilder};
    use super::*;

    fn model() -> Vec<u8> {
        let mut graph = GraphBuilder::new();
        let x = graph.input("x", ElementType::F32, &[Dim::Named("n"), Dim::Fixed(4)]);
        let place = |location: &str, offset| External { location: location.to_owned(), offset, length: 64 };
        let a = graph.external("a", ElementType::F32, &[4, 4], &place("model.onnx_data", 0));
        let b = graph.external("b", ElementType::F32, &[4, 4], &place("model.onnx_data", 64));
        let c = graph.external("c", ElementType::F32, &[4, 4], &place("other", 100));
        let mut y = x;
        for weight in [a, b, c] {
            y = graph.op("MatMul", &[&y, &weight], &[]);
        }
        graph.output("y", &y);
        graph.finish("test")
    }

    #[test]
    fn only_the_known_places_change() {
        let model = model();
        let read = |model: &[u8]| GraphFile::parse(Cursor::new(model), model.len() as u64).unwrap();
        let before = read(&model);
        assert_eq!(
            before.external.iter().collect::<Vec<_>>(),
            [(&"model.onnx_data".to_owned(), &128), (&"other".to_owned(), &164)]
        );
        let places = HashMap::from([("model.onnx_data".to_owned(), "blobs/0123456789abcdef".to_owned())]);
        let moved = relocate(&model, &places).unwrap();
        let after = read(&moved);
        assert_eq!(after.external.keys().collect::<Vec<_>>(), ["blobs/0123456789abcdef", "other"]);
        assert_eq!((before.inputs, before.outputs, before.opset), (after.inputs, after.outputs, after.opset));
        let back = HashMap::from([("blobs/0123456789abcdef".to_owned(), "model.onnx_data".to_owned())]);
        assert_eq!(relocate(&moved, &back).unwrap(), model);
        assert!(relocate(&model[..model.len() - 1], &places).is_err());
    }
}
