//! Records as serde decodes them: by derives, without a word of how. What the decoder gives is held against it.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Visitor};

use super::{Argument, ArrayRecord, Leaf, Overflow, Producer, Record, StepRecord, TargetRecord};
use crate::digest::{ArrayMeta, Digest, Order};
use crate::key::{Part, Types};

/// A record, if serde takes the bytes for one.
pub(super) fn record(body: &[u8]) -> Option<Record> {
    unpack::<RecordMap>(body).map(RecordMap::into_record)
}

/// A slot, if serde takes the bytes for one.
pub(super) fn step_record(body: &[u8]) -> Option<StepRecord> {
    unpack::<SlotMap>(body).map(SlotMap::into_slot)
}

fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let mut unpacker = rmp_serde::Deserializer::from_read_ref(bytes);
    let value = T::deserialize(&mut unpacker).ok()?;
    // Nothing follows it.
    serde::de::IgnoredAny::deserialize(&mut unpacker).is_err().then_some(value)
}

#[derive(Deserialize)]
struct RecordMap {
    format: u32,
    #[serde(default)]
    requires: Vec<String>,
    key: Digest,
    function: String,
    code: Digest,
    arguments: Vec<ArgumentMap>,
    created: u64,
    duration: u64,
    #[serde(default)]
    expires: Option<u64>,
    #[serde(default, deserialize_with = "bytes")]
    value: Vec<u8>,
    #[serde(default)]
    arrays: Vec<ArrayMap>,
    #[serde(default)]
    overflow: Option<OverflowMap>,
    producer: ProducerMap,
    #[serde(default)]
    edited: bool,
    #[serde(default)]
    origin: Option<String>,
    #[serde(default, deserialize_with = "bytes")]
    python: Vec<u8>,
    #[serde(default)]
    local: bool,
    #[serde(default)]
    build: Option<Digest>,
    #[serde(default)]
    types: Option<Types>,
}

#[derive(Deserialize)]
struct SlotMap {
    format: u32,
    #[serde(default)]
    requires: Vec<String>,
    key: Digest,
    function: String,
    code: Digest,
    #[serde(default)]
    parts: Vec<PartMap>,
    arguments: Vec<ArgumentMap>,
    created: u64,
    duration: u64,
    #[serde(default)]
    build: Option<Digest>,
    #[serde(default)]
    types: Option<Types>,
    slot: Digest,
    #[serde(default)]
    target: Option<TargetMap>,
    producer: ProducerMap,
}

#[derive(Deserialize)]
struct ArgumentMap {
    name: String,
    digest: Digest,
    #[serde(default)]
    text: String,
    #[serde(default)]
    leaves: Vec<LeafMap>,
    #[serde(default)]
    secret: bool,
}

#[derive(Deserialize)]
struct LeafMap {
    path: String,
    digest: Digest,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct ArrayMap {
    file: String,
    meta: MetaMap,
    offset: u64,
    length: u64,
    digest: Digest,
    codec: String,
}

#[derive(Deserialize)]
struct MetaMap {
    descr: String,
    shape: Vec<u64>,
    order: OrderText,
    #[serde(default)]
    itemsize: Option<u64>,
}

#[derive(Deserialize)]
enum OrderText {
    C,
    F,
}

#[derive(Deserialize)]
struct OverflowMap {
    file: String,
    length: u64,
    digest: Digest,
}

#[derive(Deserialize)]
struct ProducerMap {
    version: String,
    rustc: String,
    target: String,
    host: String,
    session: String,
}

#[derive(Deserialize)]
struct PartMap {
    name: String,
    counts: String,
    #[serde(default)]
    package: Option<String>,
    #[serde(default)]
    version: Option<u64>,
    #[serde(default)]
    body: Option<Digest>,
    #[serde(default)]
    facts: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct TargetMap {
    #[serde(deserialize_with = "bytes")]
    path: Vec<u8>,
    length: u64,
    modified: i64,
    changed: i64,
    inode: u64,
    seen: u64,
    digest: Digest,
}

impl RecordMap {
    fn into_record(self) -> Record {
        let arguments: Vec<_> = self.arguments.into_iter().map(ArgumentMap::into_argument).collect();
        Record {
            format: self.format,
            requires: self.requires,
            key: self.key,
            function: self.function.into(),
            code: self.code,
            arguments: arguments.into(),
            created: self.created,
            duration: self.duration,
            expires: self.expires,
            value: self.value,
            arrays: self.arrays.into_iter().map(ArrayMap::into_array).collect(),
            overflow: self.overflow.map(|OverflowMap { file, length, digest }| Overflow { file, length, digest }),
            producer: self.producer.into_producer().into(),
            edited: self.edited,
            build: self.build,
            types: self.types,
            origin: self.origin,
            python: self.python,
            local: self.local,
        }
    }
}

impl SlotMap {
    fn into_slot(self) -> StepRecord {
        StepRecord {
            format: self.format,
            requires: self.requires,
            key: self.key,
            function: self.function,
            code: self.code,
            parts: self.parts.into_iter().map(PartMap::into_part).collect(),
            arguments: self.arguments.into_iter().map(ArgumentMap::into_argument).collect(),
            created: self.created,
            duration: self.duration,
            build: self.build,
            types: self.types,
            slot: self.slot,
            target: self.target.map(TargetMap::into_target),
            producer: self.producer.into_producer(),
        }
    }
}

impl ArgumentMap {
    fn into_argument(self) -> Argument {
        let Self { name, digest, text, leaves, secret } = self;
        let leaves = leaves.into_iter().map(|LeafMap { path, digest, text }| Leaf { path, digest, text }).collect();
        Argument { name, digest, text, leaves, secret }
    }
}

impl ArrayMap {
    fn into_array(self) -> ArrayRecord {
        let MetaMap { descr, shape, order, itemsize } = self.meta;
        let order = match order {
            OrderText::C => Order::C,
            OrderText::F => Order::F,
        };
        ArrayRecord {
            file: self.file,
            meta: ArrayMeta { descr: Cow::Owned(descr), shape, order, itemsize },
            offset: self.offset,
            length: self.length,
            digest: self.digest,
            codec: Cow::Owned(self.codec),
        }
    }
}

impl ProducerMap {
    fn into_producer(self) -> Producer {
        let Self { version, rustc, target, host, session } = self;
        Producer { version, rustc, target, host, session }
    }
}

impl PartMap {
    fn into_part(self) -> Part {
        let Self { name, counts: scope, package, version, body, facts } = self;
        Part { name, scope, package, version, body, facts }
    }
}

impl TargetMap {
    fn into_target(self) -> TargetRecord {
        let Self { path, length, modified, changed, inode, seen, digest } = self;
        TargetRecord { path, length, modified, changed, inode, seen, digest }
    }
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    struct ByteList;

    impl Visitor<'_> for ByteList {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a byte string")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }
    }
    deserializer.deserialize_bytes(ByteList)
}
