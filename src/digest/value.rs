//! The digest itself: sixteen bytes.

use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_128;

use crate::error::{Error, Result};

/// The XXH3-128 digest of a value, an array or a file: 16 bytes, most significant first.
///
/// It prints as 32 lower-case hexadecimal digits and parses from them. It serializes as that text in human-readable
/// formats, as 16 bytes in others. XXH3 is fast and spreads well, but isn't made to withstand an adversary who
/// constructs collisions.
///
/// ```
/// use ndcache::Digest;
///
/// let digest: Digest = "0c3e264c767b9f1326f873db8c902583".parse()?;
/// assert_eq!(digest.to_bytes()[0], 0x0c);
/// assert_eq!(digest.to_string(), "0c3e264c767b9f1326f873db8c902583");
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 16]);

impl Digest {
    /// Makes a digest from its bytes, most significant first.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns its bytes, most significant first.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Its bytes in words, the first byte lowest.
    #[inline]
    pub(super) fn halves(self) -> [u64; 2] {
        let (halves, _) = self.0.as_chunks();
        [halves[0], halves[1]].map(u64::from_le_bytes)
    }

    /// Its 32 digits.
    pub(crate) fn hex(self) -> Hex {
        let mut hex = [0; 32];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[byte >> 4, byte & 15]);
        }
        // Without a table, so that many digits are made at once.
        Hex(hex.map(|digit| digit + if digit < 10 { b'0' } else { b'a' - 10 }))
    }

    /// The digest of bytes in one piece.
    #[inline]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self::from_xxh3(xxh3_128(bytes))
    }

    /// The one place where XXH3's number becomes bytes; xxHash's canonical form is big-endian.
    #[allow(clippy::big_endian_bytes)]
    pub(crate) const fn from_xxh3(hash: u128) -> Self {
        Self(hash.to_be_bytes())
    }

    /// XXH3's number.
    #[inline]
    #[allow(clippy::big_endian_bytes)]
    pub(super) const fn to_xxh3(self) -> u128 {
        u128::from_be_bytes(self.0)
    }
}

/// Places in hash tables, of keys that contain a digest: a digest is a hash already.
pub(crate) type DigestHash = BuildHasherDefault<DigestHasher>;

/// Makes a hash of the first bytes of each part of a key.
#[derive(Default)]
pub(crate) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.hex().as_str())
    }
}

/// The digits of a digest: what it prints, without the detour.
pub(crate) struct Hex([u8; 32]);

impl Hex {
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits are ASCII")
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = Error;

    /// Parses 32 hexadecimal digits of either case.
    ///
    /// # Errors
    /// Returns an error of kind [`Invalid`](crate::ErrorKind::Invalid) when the text is anything else.
    fn from_str(text: &str) -> Result<Self> {
        parse(text.as_bytes())
            .map(Self)
            .ok_or_else(|| Error::invalid(format!("digest `{}` isn't 32 hexadecimal digits", text.escape_debug())))
    }
}

fn parse(hex: &[u8]) -> Option<[u8; 16]> {
    let hex: &[u8; 32] = hex.try_into().ok()?;
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_bytes(&self.0) }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(DigestVisitor)
        } else {
            deserializer.deserialize_bytes(DigestVisitor)
        }
    }
}

struct DigestVisitor;

impl Visitor<'_> for DigestVisitor {
    type Value = Digest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a digest: 16 bytes, or 32 hexadecimal digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Digest, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Digest, E> {
        match bytes.try_into() {
            Ok(bytes) => Ok(Digest(bytes)),
            Err(_) => Err(E::invalid_length(bytes.len(), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_prints_and_parses_as_hexadecimal() {
        let digest = Digest::from_xxh3(0x0123_4567_89ab_cdef_0000_0000_0000_00ff);
        let text = "0123456789abcdef00000000000000ff";
        assert_eq!(digest.to_string(), text);
        assert_eq!(format!("{digest:?}"), format!("Digest({text})"));
        assert_eq!(text.parse::<Digest>().unwrap(), digest);
        assert_eq!(text.to_uppercase().parse::<Digest>().unwrap(), digest);
        assert_eq!(digest.to_bytes()[15], 0xff);
    }

    #[test]
    fn anything_but_32_hexadecimal_digits_is_refused() {
        let signs = "+123456789abcdef00000000000000ff";
        let wide = "é".repeat(16);
        for text in ["", "0123", signs, &wide, &"0".repeat(33), &"g".repeat(32)] {
            let error = text.parse::<Digest>().unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Invalid);
        }
    }

    #[test]
    fn a_digest_serializes_as_text_for_people_and_as_bytes_for_machines() {
        let digest = Digest::from_bytes(*b"0123456789abcdef");
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(json, format!("\"{digest}\""));
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);

        let packed = rmp_serde::to_vec(&digest).unwrap();
        assert_eq!(packed[..2], [0xc4, 16]); // bin 8, 16 bytes
        assert_eq!(rmp_serde::from_slice::<Digest>(&packed).unwrap(), digest);
        assert!(rmp_serde::from_slice::<Digest>(&[0xc4, 1, 0]).is_err());
    }
}
