//! Protocol Buffers' wire format, field by field.
//!
//! The reader goes through a file of any size with a buffer of fixed size: what nobody asks for is skipped by seeking. Every
//! length is checked against the message around it before it is believed, so a file that was cut short is noticed without
//! reading it, and no length in a file decides how much memory is asked for.

use std::io::{self, BufRead, Seek};

/// Wire types of the format.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED32: u64 = 5;

/// Bytes that are no message.
#[derive(Debug, thiserror::Error)]
pub(in crate::onnx) enum WireError {
    /// They cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Something claims to be longer than what is there.
    #[error("it ends in the middle: the copy or download was cut off, or it is another kind of file")]
    Cut,
    /// No field can look like this.
    #[error("byte {0} is not what Protocol Buffers allow")]
    Malformed(u64),
    /// Nested deeper, longer or more often than any real file.
    #[error("{0}")]
    TooMuch(String),
}

/// One field of a message; its value follows at [`Wire::at`].
#[derive(Debug, Clone, Copy)]
pub(in crate::onnx) struct Field {
    /// Its number in the message.
    pub(in crate::onnx) number: u32,
    /// Its value.
    pub(in crate::onnx) value: Value,
}

/// The value of a field.
#[derive(Debug, Clone, Copy)]
pub(in crate::onnx) enum Value {
    /// An integer, read.
    Varint(u64),
    /// Four or eight bytes, skipped.
    Fixed,
    /// Bytes, a string or a message, up to this position; not read yet.
    Until(u64),
}

/// A position in a message file.
#[derive(Debug)]
pub(in crate::onnx) struct Wire<R> {
    source: R,
    at: u64,
}

impl<R: BufRead + Seek> Wire<R> {
    /// Starts at the first byte of `source`.
    pub(in crate::onnx) fn new(source: R) -> Self {
        Self { source, at: 0 }
    }

    /// Bytes from the start.
    pub(in crate::onnx) fn at(&self) -> u64 {
        self.at
    }

    /// The next field of a message that goes up to `end`; `None` at its end. The value before must have been read or skipped.
    pub(in crate::onnx) fn field(&mut self, end: u64) -> Result<Option<Field>, WireError> {
        if self.at == end {
            return Ok(None);
        }
        let start = self.at;
        let tag = self.varint(end)?;
        let number = u32::try_from(tag >> 3).ok().filter(|&number| number > 0).ok_or(WireError::Malformed(start))?;
        let value = match tag & 7 {
            VARINT => Value::Varint(self.varint(end)?),
            FIXED64 => self.fixed(end, 8)?,
            FIXED32 => self.fixed(end, 4)?,
            LENGTH => {
                let length = self.varint(end)?;
                Value::Until(self.at.checked_add(length).filter(|&after| after <= end).ok_or(WireError::Cut)?)
            }
            _ => return Err(WireError::Malformed(start)),
        };
        Ok(Some(Field { number, value }))
    }

    fn fixed(&mut self, end: u64, bytes: u64) -> Result<Value, WireError> {
        if end - self.at < bytes {
            return Err(WireError::Cut);
        }
        self.skip_to(self.at + bytes)?;
        Ok(Value::Fixed)
    }

    /// An integer of at most ten bytes, seven bits each, the lowest first.
    pub(in crate::onnx) fn varint(&mut self, end: u64) -> Result<u64, WireError> {
        let start = self.at;
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            if self.at == end {
                return Err(WireError::Cut);
            }
            let mut byte = [0];
            self.source.read_exact(&mut byte).map_err(cut)?;
            self.at += 1;
            // The tenth byte holds one bit that fits; more are dropped, as all readers of the format do.
            value |= u64::from(byte[0] & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte[0] < 0x80 {
                return Ok(value);
            }
        }
        Err(WireError::Malformed(start))
    }

    /// Leaves out what comes before `position`, which is not behind.
    pub(in crate::onnx) fn skip_to(&mut self, position: u64) -> Result<(), WireError> {
        // A position lies within a file, so the distance fits.
        self.source.seek_relative((position - self.at).cast_signed())?;
        self.at = position;
        Ok(())
    }

    /// A string up to `end` of at most `most` bytes.
    pub(in crate::onnx) fn text(&mut self, end: u64, most: usize) -> Result<String, WireError> {
        let length = usize::try_from(end - self.at).unwrap_or(usize::MAX);
        if length > most {
            return Err(WireError::TooMuch(format!("a name of {length} bytes, more than {most}")));
        }
        let start = self.at;
        let mut bytes = vec![0; length];
        self.source.read_exact(&mut bytes).map_err(cut)?;
        self.at = end;
        String::from_utf8(bytes).map_err(|_| WireError::Malformed(start))
    }
}

fn cut(error: io::Error) -> WireError {
    if error.kind() == io::ErrorKind::UnexpectedEof { WireError::Cut } else { WireError::Io(error) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Cursor;

    fn wire(bytes: &[u8]) -> (Wire<Cursor<&[u8]>>, u64) {
        (Wire::new(Cursor::new(bytes)), bytes.len() as u64)
    }

    #[test]
    fn fields_of_all_kinds_are_told_apart() {
        // 1: 300, 2: "hi", 3: f32, 4: f64
        let bytes = [8, 0xac, 2, 18, 2, b'h', b'i', 29, 0, 0, 0, 0, 33, 0, 0, 0, 0, 0, 0, 0, 0];
        let (mut wire, end) = wire(&bytes);
        assert!(matches!(wire.field(end).unwrap(), Some(Field { number: 1, value: Value::Varint(300) })));
        let Some(Field { number: 2, value: Value::Until(after) }) = wire.field(end).unwrap() else { panic!() };
        assert_eq!(wire.text(after, 2).unwrap(), "hi");
        assert!(matches!(wire.field(end).unwrap(), Some(Field { number: 3, value: Value::Fixed })));
        assert!(matches!(wire.field(end).unwrap(), Some(Field { number: 4, value: Value::Fixed })));
        assert!(wire.field(end).unwrap().is_none());
    }

    #[test]
    fn lengths_beyond_the_end_are_not_believed() {
        for bytes in
            [&[18, 0x7f, 1][..], &[18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], &[29, 0], &[8]]
        {
            let (mut wire, end) = wire(bytes);
            assert!(matches!(wire.field(end), Err(WireError::Cut)), "{bytes:?}");
        }
        for bytes in [&[0xff; 12][..], &[0, 1], &[11]] {
            let (mut wire, end) = wire(bytes);
            assert!(matches!(wire.field(end), Err(WireError::Malformed(_))), "{bytes:?}");
        }
        let (mut wire, end) = wire(b"longer");
        assert!(matches!(wire.text(end, 5), Err(WireError::TooMuch(_))));
    }
}
