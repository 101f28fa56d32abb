//! Protocol Buffers, as far as writing goes.

/// A message in the making.
#[derive(Debug, Default)]
pub(crate) struct ProtoMessage(Vec<u8>);

/// How a field is written.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
}

impl ProtoMessage {
    /// A number, a truth value or a word of an enumeration.
    pub(crate) fn number(mut self, field: u32, number: u64) -> Self {
        self.key(field, Wire::Varint);
        self.varint(number);
        self
    }

    /// A number that is written in 8 bytes whatever it is.
    pub(crate) fn fixed(mut self, field: u32, number: u64) -> Self {
        self.key(field, Wire::Fixed64);
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    pub(crate) fn text(self, field: u32, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    pub(crate) fn message(self, field: u32, message: &ProtoMessage) -> Self {
        self.bytes(field, &message.0)
    }

    /// The bytes of all of it.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn bytes(mut self, field: u32, bytes: &[u8]) -> Self {
        self.key(field, Wire::Bytes);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn key(&mut self, field: u32, wire: Wire) {
        self.varint(u64::from(field) << 3 | wire as u64);
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}
