//! What records are made of, read from their MessagePack: fields in any order, each once, unknown ones skipped.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::{Serialize, Serializer};

use super::cursor::{Cursor, DecodeFault, Result, once, value, whole};
use super::{Argument, ArrayRecord, CODEC_NAMES, Leaf, Overflow, Overflowed, Producer, Record};
use super::{StepRecord, TargetRecord};
use crate::digest::{ArrayMeta, Order, known_dtype};
use crate::key::{Part, Types};
use crate::threads::found_once;

thread_local! {
    /// The producer that this thread decoded last, and the bytes that it was decoded from. Most records of a folder have the
    /// same one, whose texts are a third of the work.
    static PRODUCER: RefCell<Option<(Vec<u8>, Arc<Producer>)>> = const { RefCell::new(None) };

    /// The path of a function that this thread decoded last; as a rule the next record has the same.
    static FUNCTION: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// Reads a map of named fields into variables of their names, each an `Option`. Fields in the order in which they stand
/// here, which is that in which they are written, take one comparison each; they may come in any other. Each stands once
/// at most, and those of other names are passed over.
macro_rules! fields {
    ($cursor:ident: $($field:ident = $read:expr),+ $(,)?) => {
        $(let mut $field = None;)+
        let mut left = $cursor.map_len()?;
        $(
            if left > 0 && $cursor.passes_name(stringify!($field)) {
                $field = Some($read);
                left -= 1;
            }
        )+
        for _ in 0..left {
            let name = $cursor.str()?;
            $(
                if name == stringify!($field) {
                    once(&mut $field, $read)?;
                    continue;
                }
            )+
            $cursor.skip()?;
        }
    };
}

/// The arguments of a stored call. A hit doesn't read them: those of a record are decoded when they are first asked for.
/// Clones made after that share them.
#[derive(Clone, Default)]
pub(crate) struct ArgumentList {
    /// The bytes of the list in a record, which [`Cursor::arguments`] has checked; none if the list has no record.
    bytes: Box<[u8]>,
    list: OnceLock<Arc<Vec<Argument>>>,
}

impl ArgumentList {
    fn of_bytes(bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), list: OnceLock::new() }
    }
}

impl From<Vec<Argument>> for ArgumentList {
    fn from(list: Vec<Argument>) -> Self {
        Self { bytes: Box::default(), list: Arc::new(list).into() }
    }
}

impl Deref for ArgumentList {
    type Target = [Argument];

    fn deref(&self) -> &[Argument] {
        // No error is lost: bytes that were checked are a list, and where there are none it is empty.
        found_once::<Arc<_>>(&self.list, || Arc::new(arguments(&self.bytes).unwrap_or_default()))
    }
}

impl fmt::Debug for ArgumentList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl PartialEq for ArgumentList {
    fn eq(&self, other: &Self) -> bool {
        let same_bytes = !self.bytes.is_empty() && self.bytes == other.bytes;
        same_bytes || **self == **other
    }
}

impl Serialize for ArgumentList {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

pub(super) fn record(body: &[u8]) -> Result<Box<Record>> {
    whole(body, |cursor| cursor.record())
}

pub(super) fn step_record(body: &[u8]) -> Result<StepRecord> {
    whole(body, |cursor| cursor.step_record())
}

pub(super) fn overflowed(bytes: &[u8]) -> Result<Overflowed> {
    whole(bytes, |cursor| {
        fields!(cursor:
            value = cursor.bytes()?.to_vec(),
            arrays = cursor.list(Cursor::array)?,
        );
        Ok(Overflowed { value: needed(value, "value")?, arrays: needed(arrays, "arrays")? })
    })
}

/// The list that an [`ArgumentList`] has kept the bytes of.
fn arguments(bytes: &[u8]) -> Result<Vec<Argument>> {
    whole(bytes, |cursor| cursor.list(Cursor::argument))
}

/// All that a record of code holds.
pub(super) fn code(body: &[u8]) -> Result<super::CodeRecord> {
    whole(body, |cursor| {
        fields!(cursor:
            format = cursor.u32()?,
            requires = cursor.list(Cursor::text)?,
            function = cursor.text()?,
            code = cursor.digest()?,
            parts = cursor.list(Cursor::part)?,
        );
        Ok(super::CodeRecord {
            format: needed(format, "format")?,
            requires: requires.unwrap_or_default(),
            function: needed(function, "function")?,
            code: needed(code, "code")?,
            parts: needed(parts, "parts")?,
        })
    })
}

/// The field `format`, whatever else the map holds. A later format may have changed every other field.
pub(super) fn format(body: &[u8]) -> Option<u64> {
    let mut format = None;
    // What was found before a fault is right: it is the fault of another field, or of what follows.
    let _ = whole(body, |cursor| {
        cursor.map(|cursor, name| match name {
            "format" => once(&mut format, cursor.u64()?),
            _ => cursor.skip(),
        })
    });
    format
}

/// The field `requires`, whatever else the map holds.
pub(super) fn requires(body: &[u8]) -> Option<Vec<String>> {
    let mut requires = None;
    let _ = whole(body, |cursor| {
        cursor.map(|cursor, name| match name {
            "requires" => once(&mut requires, cursor.list(Cursor::text)?),
            _ => cursor.skip(),
        })
    });
    requires
}

fn needed<T>(field: Option<T>, name: &'static str) -> Result<T> {
    field.ok_or(DecodeFault::Missing(name))
}

impl Cursor<'_> {
    fn record(&mut self) -> Result<Box<Record>> {
        fields!(self:
            format = self.u32()?,
            requires = self.list(Cursor::text)?,
            key = self.digest()?,
            function = self.shared_function()?,
            code = self.digest()?,
            arguments = self.arguments()?,
            created = self.u64()?,
            duration = self.u64()?,
            expires = self.u64()?,
            build = self.digest()?,
            types = self.types()?,
            value = self.bytes()?.to_vec(),
            arrays = self.list(Cursor::array)?,
            overflow = self.overflow()?,
            producer = self.shared_producer()?,
            edited = self.bool()?,
            origin = self.text()?,
            python = self.bytes()?.to_vec(),
            local = self.bool()?,
        );
        Ok(Box::new(Record {
            format: needed(format, "format")?,
            requires: requires.unwrap_or_default(),
            key: needed(key, "key")?,
            function: needed(function, "function")?,
            code: needed(code, "code")?,
            arguments: needed(arguments, "arguments")?,
            created: needed(created, "created")?,
            duration: needed(duration, "duration")?,
            expires,
            value: value.unwrap_or_default(),
            arrays: arrays.unwrap_or_default(),
            overflow,
            producer: needed(producer, "producer")?,
            edited: edited.unwrap_or_default(),
            build,
            types,
            origin,
            python: python.unwrap_or_default(),
            local: local.unwrap_or_default(),
        }))
    }

    fn step_record(&mut self) -> Result<StepRecord> {
        fields!(self:
            format = self.u32()?,
            requires = self.list(Cursor::text)?,
            key = self.digest()?,
            function = self.text()?,
            code = self.digest()?,
            parts = self.list(Cursor::part)?,
            arguments = self.list(Cursor::argument)?,
            build = self.digest()?,
            types = self.types()?,
            created = self.u64()?,
            duration = self.u64()?,
            slot = self.digest()?,
            target = self.target()?,
            producer = self.producer()?,
        );
        Ok(StepRecord {
            format: needed(format, "format")?,
            requires: requires.unwrap_or_default(),
            key: needed(key, "key")?,
            function: needed(function, "function")?,
            code: needed(code, "code")?,
            parts: parts.unwrap_or_default(),
            arguments: needed(arguments, "arguments")?,
            created: needed(created, "created")?,
            duration: needed(duration, "duration")?,
            build,
            types,
            slot: needed(slot, "slot")?,
            target,
            producer: needed(producer, "producer")?,
        })
    }

    fn types(&mut self) -> Result<Types> {
        match self.array_len()? {
            3 => Ok(Types::from_numbers([self.u64()?, self.u64()?, self.u64()?])),
            _ => Err(DecodeFault::Value),
        }
    }

    /// Checks the arguments and passes over them: a hit has no use for them.
    fn arguments(&mut self) -> Result<ArgumentList> {
        let before = self.rest();
        for _ in 0..self.array_len()? {
            self.check_argument()?;
        }
        Ok(ArgumentList::of_bytes(self.since(before)))
    }

    /// Checks that an argument comes next, without memory for it: with the fields of [`argument`](Self::argument).
    fn check_argument(&mut self) -> Result<()> {
        fields!(self:
            name = self.check_str()?,
            digest = self.digest()?,
            text = self.check_str()?,
            leaves = self.list(Cursor::check_leaf).map(drop)?,
            secret = self.bool()?,
        );
        needed(name, "name")?;
        needed(digest, "digest").map(drop)
    }

    /// Checks that a leaf comes next, without memory for it: with the fields of [`leaf`](Self::leaf).
    fn check_leaf(&mut self) -> Result<()> {
        fields!(self:
            path = self.check_str()?,
            digest = self.digest()?,
            text = self.check_str()?,
        );
        needed(path, "path")?;
        needed(digest, "digest").map(drop)
    }

    fn argument(&mut self) -> Result<Argument> {
        fields!(self:
            name = self.text()?,
            digest = self.digest()?,
            text = self.text()?,
            leaves = self.list(Cursor::leaf)?,
            secret = self.bool()?,
        );
        Ok(Argument {
            name: needed(name, "name")?,
            digest: needed(digest, "digest")?,
            text: text.unwrap_or_default(),
            leaves: leaves.unwrap_or_default(),
            secret: secret.unwrap_or_default(),
        })
    }

    fn leaf(&mut self) -> Result<Leaf> {
        fields!(self:
            path = self.text()?,
            digest = self.digest()?,
            text = self.text()?,
        );
        let (path, digest) = (needed(path, "path")?, needed(digest, "digest")?);
        Ok(Leaf { path, digest, text: text.unwrap_or_default() })
    }

    fn part(&mut self) -> Result<Part> {
        fields!(self:
            name = self.text()?,
            counts = self.text()?,
            package = self.text()?,
            version = self.u64()?,
            body = self.digest()?,
            facts = self.list(Cursor::fact)?,
        );
        let (name, scope) = (needed(name, "name")?, needed(counts, "counts")?);
        Ok(Part { name, scope, package, version, body, facts: facts.unwrap_or_default() })
    }

    fn fact(&mut self) -> Result<(String, String)> {
        if self.array_len()? == 2 { Ok((self.text()?, self.text()?)) } else { Err(DecodeFault::Value) }
    }

    fn array(&mut self) -> Result<ArrayRecord> {
        fields!(self:
            file = self.text()?,
            meta = self.meta()?,
            offset = self.u64()?,
            length = self.u64()?,
            digest = self.digest()?,
            codec = self.codec()?,
        );
        Ok(ArrayRecord {
            file: needed(file, "file")?,
            meta: needed(meta, "meta")?,
            offset: needed(offset, "offset")?,
            length: needed(length, "length")?,
            digest: needed(digest, "digest")?,
            codec: needed(codec, "codec")?,
        })
    }

    fn codec(&mut self) -> Result<Cow<'static, str>> {
        let codec = self.str()?;
        let known = CODEC_NAMES.iter().find(|&&known| known == codec);
        Ok(known.map_or_else(|| Cow::Owned(codec.to_owned()), |&known| Cow::Borrowed(known)))
    }

    fn meta(&mut self) -> Result<ArrayMeta> {
        fields!(self:
            descr = self.str().map(dtype)?,
            shape = self.list(Cursor::u64)?,
            order = self.order()?,
            itemsize = self.u64()?,
        );
        let (shape, order) = (needed(shape, "shape")?, needed(order, "order")?);
        Ok(ArrayMeta { descr: needed(descr, "descr")?, shape, order, itemsize })
    }

    fn order(&mut self) -> Result<Order> {
        match self.str()? {
            "C" => Ok(Order::C),
            "F" => Ok(Order::F),
            _ => Err(DecodeFault::Value),
        }
    }

    fn overflow(&mut self) -> Result<Overflow> {
        fields!(self:
            file = self.text()?,
            length = self.u64()?,
            digest = self.digest()?,
        );
        Ok(Overflow {
            file: needed(file, "file")?,
            length: needed(length, "length")?,
            digest: needed(digest, "digest")?,
        })
    }

    /// The function's path that comes next; if it is the one before, in the same memory.
    fn shared_function(&mut self) -> Result<Arc<str>> {
        let bytes = self.str_bytes()?;
        let again = FUNCTION.try_with(|last| last.borrow().clone().filter(|last| last.as_bytes() == bytes));
        if let Ok(Some(function)) = again {
            return Ok(function);
        }
        let function: Arc<str> = std::str::from_utf8(bytes).map_err(value)?.into();
        let _ = FUNCTION.try_with(|last| last.replace(Some(Arc::clone(&function))));
        Ok(function)
    }

    /// The producer that comes next. It isn't decoded anew if its bytes begin with those of the one before: then they are
    /// the same, as no value of MessagePack is the beginning of another one.
    fn shared_producer(&mut self) -> Result<Arc<Producer>> {
        let again = PRODUCER.try_with(|last| {
            let last = last.borrow();
            last.as_ref().filter(|(bytes, _)| self.passes(bytes)).map(|(_, producer)| Arc::clone(producer))
        });
        if let Ok(Some(producer)) = again {
            return Ok(producer);
        }
        let before = self.rest();
        let producer = self.producer().map(Arc::new)?;
        let entry = (self.since(before).to_vec(), Arc::clone(&producer));
        let _ = PRODUCER.try_with(|last| *last.borrow_mut() = Some(entry));
        Ok(producer)
    }

    fn producer(&mut self) -> Result<Producer> {
        fields!(self:
            version = self.text()?,
            rustc = self.text()?,
            target = self.text()?,
            host = self.text()?,
            session = self.text()?,
        );
        Ok(Producer {
            version: needed(version, "version")?,
            rustc: needed(rustc, "rustc")?,
            target: needed(target, "target")?,
            host: needed(host, "host")?,
            session: needed(session, "session")?,
        })
    }

    fn target(&mut self) -> Result<TargetRecord> {
        fields!(self:
            path = self.bytes()?.to_vec(),
            length = self.u64()?,
            modified = self.i64()?,
            changed = self.i64()?,
            inode = self.u64()?,
            seen = self.u64()?,
            digest = self.digest()?,
        );
        Ok(TargetRecord {
            path: needed(path, "path")?,
            length: needed(length, "length")?,
            modified: needed(modified, "modified")?,
            changed: needed(changed, "changed")?,
            inode: needed(inode, "inode")?,
            seen: needed(seen, "seen")?,
            digest: needed(digest, "digest")?,
        })
    }
}

/// A dtype, without memory for one that this build knows.
fn dtype(descr: &str) -> Cow<'static, str> {
    known_dtype(descr).map_or_else(|| Cow::Owned(descr.to_owned()), Cow::Borrowed)
}
