//! The record of a slot of `make`: what was made last, and the file that holds it.

use serde::Serialize;

use super::sealed::{bytes, seal};
use super::{Argument, Producer, RECORD_LEN, RECORD_MAX};
use crate::digest::Digest;
use crate::error::Result;
use crate::key::{Part, Types};

/// The last result of a slot (docs/format.md, "Slots").
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct StepRecord {
    pub(crate) format: u32,
    /// Features without which the rest can't be read right.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) requires: Vec<String>,
    /// The key of the call.
    pub(crate) key: Digest,
    /// The function's path.
    pub(crate) function: String,
    pub(crate) code: Digest,
    /// What the code was made of, to say what of it has changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<Part>,
    pub(crate) arguments: Vec<Argument>,
    /// What an entry's record has under this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) build: Option<Digest>,
    /// What an entry's record has under this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) types: Option<Types>,
    /// Nanoseconds since 1970.
    pub(crate) created: u64,
    /// Nanoseconds that the function took.
    pub(crate) duration: u64,
    /// The slot's own digest, of which its file has the first half as its name.
    pub(crate) slot: Digest,
    /// What stood at the target's path when it was made; absent where there is no path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<TargetRecord>,
    pub(crate) producer: Producer,
}

/// A file, and how it looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TargetRecord {
    /// Absolute.
    #[serde(with = "bytes")]
    pub(crate) path: Vec<u8>,
    pub(crate) length: u64,
    /// Nanoseconds since 1970 at which the content was last modified.
    pub(crate) modified: i64,
    /// Nanoseconds since 1970 at which anything of the file was last changed.
    pub(crate) changed: i64,
    pub(crate) inode: u64,
    /// Nanoseconds since 1970 at which the digest was taken.
    pub(crate) seen: u64,
    /// The digest of the content, as an argument of `FileContent` has it.
    pub(crate) digest: Digest,
}

impl StepRecord {
    /// # Errors
    /// Returns an error if that takes more than [`RECORD_MAX`](super::RECORD_MAX) bytes.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        match seal(self, &self.function, RECORD_LEN, RECORD_MAX) {
            Err(error) if !self.parts.is_empty() => {
                tracing::warn!(%error, "it will not say which part of the code changed");
                Self { parts: Vec::new(), ..self.clone() }.encode()
            }
            sealed => sealed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::error::ErrorKind;
    use crate::record::sealed::verify;
    use crate::record::{FORMAT, Record};

    fn step() -> StepRecord {
        let digest = Digest::from_bytes([7; 16]);
        let target = TargetRecord {
            path: b"/tmp/\xff.npy".to_vec(),
            length: 128,
            modified: -1,
            changed: 1_700_000_000_000_000_000,
            inode: 17,
            seen: 1_700_000_002_000_000_000,
            digest,
        };
        StepRecord {
            format: FORMAT,
            requires: Vec::new(),
            key: digest,
            function: "package/function".to_owned(),
            code: digest,
            parts: Vec::new(),
            arguments: vec![Argument::new("x", digest, "1")],
            build: Some(digest),
            types: Some(Types::from_numbers([0, 1, u64::MAX])),
            created: 1,
            duration: 2,
            slot: digest,
            target: Some(target),
            producer: Producer::current("boot:mount"),
        }
    }

    #[test]
    fn a_slot_comes_back_as_it_was() {
        let nameless = StepRecord { target: None, ..step() };
        for step in [step(), nameless] {
            assert_eq!(StepRecord::decode(&step.encode().unwrap(), Path::new("m/x.record")).unwrap(), step);
        }
    }

    #[test]
    fn every_flipped_bit_of_a_slot_counts() {
        let bytes = step().encode().unwrap();
        for at in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[at] ^= 1 << (at % 8);
            let error = StepRecord::decode(&forged, Path::new("m/x.record")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Damaged, "byte {at}");
        }
        for len in 0..bytes.len() {
            assert!(StepRecord::decode(&bytes[..len], Path::new("m/x.record")).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn any_sealed_bytes_are_a_slot_or_refused() {
        let body = verify(&step().encode().unwrap()).unwrap().to_vec();
        let name = "record::step_record::tests::any_sealed_bytes_are_a_slot_or_refused";
        crate::fuzz::fuzz(name, Some("slot"), 40_000, &[body], crate::record::fuzzing::slot);
    }

    #[test]
    fn a_slot_of_a_later_format_is_newer_and_no_entry() {
        let newer = StepRecord { requires: vec!["staging".to_owned()], ..step() };
        let error = StepRecord::decode(&newer.encode().unwrap(), Path::new("m/x.record")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Newer);
        assert!(Record::decode(&step().encode().unwrap(), || "m/x.record".into()).is_err());
    }

    #[test]
    fn a_slot_of_endless_arguments_is_refused() {
        let arguments = vec![step().arguments[0].clone(); 5000];
        let error = StepRecord { arguments, ..step() }.encode().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}
