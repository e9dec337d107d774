//! Where our serde serializer writes to: the stored value, or bytes that it is compared with.

use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result};
use crate::payload::wire;
use crate::payload::wire::MAX_DEPTH;

/// Takes MessagePack, and what serde says of a value beside it.
pub(crate) trait Output {
    /// Bytes that are MessagePack already.
    fn raw(&mut self, bytes: &[u8]);
    /// The head of an array or map whose length is patched in later.
    fn late(&mut self, head: [u8; 5]) {
        self.raw(&head);
    }

    /// How much is written.
    fn position(&self) -> usize;
    /// Writes over what stands at `at`.
    fn patch(&mut self, at: usize, bytes: &[u8]);
    fn signature(&mut self) -> &mut TypeSignature;
    fn depth(&mut self) -> &mut Depth;

    #[inline]
    fn enter(&mut self) -> Result<()> {
        self.depth().enter()
    }

    #[inline]
    fn leave(&mut self) {
        self.depth().now -= 1;
    }

    #[inline]
    fn kind(&mut self, kind: Kind) {
        self.signature().fold(kind as u64);
    }

    #[inline]
    fn name(&mut self, name: &'static str) {
        self.signature().name(name);
    }

    /// The number of a variant.
    #[inline]
    fn number(&mut self, number: u32) {
        self.signature().fold(number.into());
    }

    #[inline]
    fn nil(&mut self) {
        self.raw(&[0xc0]);
    }

    #[inline]
    fn bool(&mut self, value: bool) {
        self.raw(&[0xc2 | u8::from(value)]);
    }

    #[inline]
    fn uint(&mut self, value: u64) {
        match value {
            0..=0x7f => self.raw(&[value as u8]),
            0x80..=0xff => self.raw(&[0xcc, value as u8]),
            0x100..=0xffff => self.raw(&wire::marked_u16(0xcd, value as u16)),
            0x1_0000..=0xffff_ffff => self.raw(&wire::marked_u32(0xce, value as u32)),
            _ => self.raw(&wire::marked_u64(0xcf, value)),
        }
    }

    /// Writes an integer; one that isn't negative as an unsigned one.
    #[inline]
    fn sint(&mut self, value: i64) {
        match value {
            0.. => self.uint(value.cast_unsigned()),
            -0x20..=-1 => self.raw(&[value as u8]),
            -0x80..=-0x21 => self.raw(&[0xd0, value as u8]),
            -0x8000..=-0x81 => self.raw(&wire::marked_u16(0xd1, value as u16)),
            -0x8000_0000..=-0x8001 => self.raw(&wire::marked_u32(0xd2, value as u32)),
            _ => self.raw(&wire::marked_u64(0xd3, value.cast_unsigned())),
        }
    }

    #[inline]
    fn wide(&mut self, value: u128) {
        self.raw(&[0xc4, 16]);
        self.raw(&wire::u128_bytes(value));
    }

    #[inline]
    fn f32(&mut self, value: f32) {
        self.raw(&wire::marked_u32(0xca, value.to_bits()));
    }

    #[inline]
    fn f64(&mut self, value: f64) {
        self.raw(&wire::marked_u64(0xcb, value.to_bits()));
    }

    #[inline]
    fn str(&mut self, value: &str) -> Result<()> {
        match value.len() {
            len @ 0..=31 => self.raw(&[0xa0 | len as u8]),
            len @ 32..=0xff => self.raw(&[0xd9, len as u8]),
            len => self.long_head([0xda, 0xdb], length(len, "string")?),
        }
        self.raw(value.as_bytes());
        Ok(())
    }

    #[inline]
    fn bin(&mut self, value: &[u8]) -> Result<()> {
        match value.len() {
            len @ 0..=0xff => self.raw(&[0xc4, len as u8]),
            len => self.long_head([0xc5, 0xc6], length(len, "byte string")?),
        }
        self.raw(value);
        Ok(())
    }

    #[inline]
    fn array_head(&mut self, len: u32) {
        match len {
            0..=15 => self.raw(&[0x90 | len as u8]),
            len => self.long_head([0xdc, 0xdd], len),
        }
    }

    #[inline]
    fn map_head(&mut self, len: u32) {
        match len {
            0..=15 => self.raw(&[0x80 | len as u8]),
            len => self.long_head([0xde, 0xdf], len),
        }
    }

    /// A length behind the first of these markers if 16 bits will do, else behind the second.
    #[inline]
    fn long_head(&mut self, [short, long]: [u8; 2], len: u32) {
        match u16::try_from(len) {
            Ok(len) => self.raw(&wire::marked_u16(short, len)),
            Err(_) => self.raw(&wire::marked_u32(long, len)),
        }
    }
}

/// A length that MessagePack can express.
pub(crate) fn length(len: usize, what: &str) -> Result<u32> {
    u32::try_from(len).map_err(|_| Error::unsupported(format!("{what} has length {len}, more than {}", u32::MAX)))
}

/// How deep a value nests.
#[derive(Clone, Copy, Default)]
pub(crate) struct Depth {
    now: u32,
    /// The deepest that there was.
    pub(crate) most: u32,
}

impl Depth {
    #[inline]
    fn enter(&mut self) -> Result<()> {
        self.now += 1;
        self.most = self.most.max(self.now);
        match self.now <= MAX_DEPTH {
            true => Ok(()),
            false => Err(too_deep()),
        }
    }
}

#[cold]
pub(crate) fn too_deep() -> Error {
    Error::unsupported(format!("value is nested deeper than {MAX_DEPTH} levels"))
}

/// What serde calls a value. The numbers are part of the format.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Kind {
    Bool = 1,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Text,
    Bytes,
    None,
    Some,
    Unit,
    UnitStruct,
    UnitVariant,
    Newtype,
    NewtypeVariant,
    Sequence,
    Tuple,
    TupleStruct,
    TupleVariant,
    Map,
    Struct,
    StructVariant,
}

/// What serde says of a value that its MessagePack doesn't: the widths of integers, and the names of types.
///
/// Two values of the same bytes may differ in it, such as the variants of an untagged enum.
#[derive(Clone)]
pub(crate) struct TypeSignature {
    state: u64,
    /// The digests of names that came last, by their addresses: the elements of a sequence have the same ones.
    names: [(usize, usize, u64); 4],
}

impl TypeSignature {
    /// That of a value of this discriminant, to which serde has not been asked yet.
    pub(crate) fn new(discriminant: u64) -> Self {
        let mut signature = Self { state: 0, names: [(0, 0, 0); 4] };
        signature.fold(discriminant);
        signature
    }

    pub(crate) fn value(&self) -> u64 {
        self.state
    }

    #[inline]
    fn fold(&mut self, number: u64) {
        self.state = (self.state ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    #[inline]
    fn name(&mut self, name: &'static str) {
        let (at, len) = (name.as_ptr().addr(), name.len());
        let known = &mut self.names[(at >> 2) % 4];
        if (known.0, known.1) != (at, len) {
            *known = (at, len, xxh3_64(name.as_bytes()));
        }
        let digest = known.2;
        self.fold(digest);
    }
}

/// Compares with bytes that are there.
pub(crate) struct Same<'b> {
    expected: &'b [u8],
    at: usize,
    same: bool,
    signature: TypeSignature,
    depth: Depth,
}

impl<'b> Same<'b> {
    pub(crate) fn new(expected: &'b [u8], signature: TypeSignature) -> Self {
        Self { expected, at: 0, same: true, signature, depth: Depth::default() }
    }

    /// The signature of what was written, if that is what was expected.
    pub(crate) fn finish(self) -> Option<u64> {
        (self.same && self.at == self.expected.len()).then(|| self.signature.value())
    }
}

impl Output for Same<'_> {
    #[inline]
    fn raw(&mut self, bytes: &[u8]) {
        let found = self.expected.get(self.at..self.at + bytes.len());
        self.same &= found.is_some_and(|found| same(found, bytes));
        self.at += bytes.len();
    }

    /// The length isn't known here; [`patch`](Self::patch) compares it.
    fn late(&mut self, head: [u8; 5]) {
        self.same &= self.expected.get(self.at) == Some(&head[0]);
        self.at += head.len();
    }

    fn position(&self) -> usize {
        self.at
    }

    fn patch(&mut self, at: usize, bytes: &[u8]) {
        self.same &= self.expected.get(at..at + bytes.len()) == Some(bytes);
    }

    #[inline]
    fn signature(&mut self) -> &mut TypeSignature {
        &mut self.signature
    }

    #[inline]
    fn depth(&mut self) -> &mut Depth {
        &mut self.depth
    }
}

/// Whether the bytes are the same. What is written piece by piece is mostly shorter than a call of `memcmp` is worth.
#[inline]
fn same(found: &[u8], bytes: &[u8]) -> bool {
    match bytes.len() {
        0..=16 => found.iter().zip(bytes).all(|(found, byte)| found == byte),
        _ => found == bytes,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::payload::wire::read::NoArrays;

    struct Bytes(Vec<u8>, TypeSignature, Depth);

    impl Output for Bytes {
        fn raw(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }

        fn position(&self) -> usize {
            self.0.len()
        }

        fn patch(&mut self, _: usize, _: &[u8]) {}

        fn signature(&mut self) -> &mut TypeSignature {
            &mut self.1
        }

        fn depth(&mut self) -> &mut Depth {
            &mut self.2
        }
    }

    /// What `ours` writes is what the encoder `rmp` does.
    #[track_caller]
    fn agree(ours: impl FnOnce(&mut Bytes), theirs: impl FnOnce(&mut rmp::encode::ByteBuf)) {
        let mut bytes = Bytes(Vec::new(), TypeSignature::new(0), Depth::default());
        let mut expected = rmp::encode::ByteBuf::new();
        ours(&mut bytes);
        theirs(&mut expected);
        assert_eq!(bytes.0, expected.into_vec());
    }

    fn integers_agree(value: i64) {
        agree(|out| out.sint(value), |out| assert!(rmp::encode::write_sint(out, value).is_ok()));
        let value = value.cast_unsigned();
        agree(|out| out.uint(value), |out| assert!(rmp::encode::write_uint(out, value).is_ok()));
    }

    #[test]
    fn numbers_lengths_and_texts_are_written_as_another_encoder_does() {
        for bit in 0..64 {
            for near in -1..=1 {
                integers_agree((1_i64 << bit).wrapping_add(near));
                integers_agree((-1_i64 << bit).wrapping_add(near));
            }
        }
        for len in [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536, u32::MAX] {
            agree(|out| out.array_head(len), |out| assert!(rmp::encode::write_array_len(out, len).is_ok()));
            agree(|out| out.map_head(len), |out| assert!(rmp::encode::write_map_len(out, len).is_ok()));
        }
        for len in [0, 31, 32, 255, 256, 65_535, 65_536] {
            let text = "x".repeat(len);
            agree(
                |out| out.str(&text).unwrap(),
                |out| {
                    let _ = rmp::encode::write_str(out, &text);
                },
            );
            agree(
                |out| out.bin(text.as_bytes()).unwrap(),
                |out| {
                    let _ = rmp::encode::write_bin(out, text.as_bytes());
                },
            );
        }
        agree(
            |out| out.f64(-0.5),
            |out| {
                let _ = rmp::encode::write_f64(out, -0.5);
            },
        );
        agree(
            |out| out.f32(0.1),
            |out| {
                let _ = rmp::encode::write_f32(out, 0.1);
            },
        );
        agree(
            |out| out.bool(true),
            |out| {
                let _ = rmp::encode::write_bool(out, true);
            },
        );
        agree(
            |out| out.bool(false),
            |out| {
                let _ = rmp::encode::write_bool(out, false);
            },
        );
        agree(
            |out| out.nil(),
            |out| {
                let _ = rmp::encode::write_nil(out);
            },
        );
    }

    #[test]
    fn every_byte_and_the_length_are_compared() {
        let compare = |expected: &[u8], write: fn(&mut Same<'_>)| {
            let mut same = Same::new(expected, TypeSignature::new(0));
            write(&mut same);
            same.finish().is_some()
        };
        let write: fn(&mut Same<'_>) = |out| {
            out.late(wire::LATE_ARRAY);
            out.uint(300);
            out.patch(1, &wire::u32_bytes(1));
        };
        let right = [0xdd, 0, 0, 0, 1, 0xcd, 1, 44];
        assert!(compare(&right, write));
        assert!(!compare(&right[..7], write) && !compare(&[&right[..], &[0]].concat(), write));
        for at in 0..right.len() {
            let mut wrong = right;
            wrong[at] ^= 1;
            assert!(!compare(&wrong, write), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn any_integer_is_written_as_another_encoder_does(value: i64) {
            integers_agree(value);
            let mut bytes = Bytes(Vec::new(), TypeSignature::new(0), Depth::default());
            bytes.sint(value);
            prop_assert_eq!(crate::payload::Reader::new(&bytes.0, &NoArrays).sint().unwrap(), value);
        }
    }
}
