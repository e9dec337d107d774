//! What records are made of, read from their MessagePack: fields in any order, each once, unknown ones skipped.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use super::cursor::{Cursor, Fault, Result, once, whole};
use super::{Argument, Arguments, ArrayRecord, CODECS, Leaf, Overflow, Overflowed, Producer, Record};
use super::{Slot, TargetRecord};
use crate::digest::{ArrayMeta, Order, known_dtype};
use crate::key::{Part, Types};

thread_local! {
    /// The producer of the record that this thread decoded before, and its bytes. Most records of a folder have one
    /// producer, whose texts are a third of the work.
    static PRODUCER: RefCell<Option<(Vec<u8>, Arc<Producer>)>> = const { RefCell::new(None) };
}

pub(super) fn record(body: &[u8]) -> Result<Box<Record>> {
    whole(body, |cursor| cursor.record())
}

pub(super) fn slot(body: &[u8]) -> Result<Slot> {
    whole(body, |cursor| cursor.slot())
}

pub(super) fn overflowed(bytes: &[u8]) -> Result<Overflowed> {
    whole(bytes, |cursor| {
        let (mut value, mut arrays) = (None, None);
        cursor.map(|cursor, name| match name {
            "value" => once(&mut value, cursor.bytes()?.to_vec()),
            "arrays" => once(&mut arrays, cursor.list(Cursor::array)?),
            _ => cursor.skip(),
        })?;
        Ok(Overflowed { value: needed(value, "value")?, arrays: needed(arrays, "arrays")? })
    })
}

/// The list that `Arguments` has kept the bytes of.
pub(super) fn arguments(bytes: &[u8]) -> Result<Vec<Argument>> {
    whole(bytes, |cursor| cursor.list(Cursor::argument))
}

/// Function, code digest and parts of a record of code.
pub(super) fn code(body: &[u8]) -> Result<super::CodeRecord> {
    whole(body, |cursor| {
        let (mut format, mut requires, mut function, mut code, mut parts) = (None, None, None, None, None);
        cursor.map(|cursor, name| match name {
            "format" => once(&mut format, cursor.u32()?),
            "requires" => once(&mut requires, cursor.list(Cursor::text)?),
            "function" => once(&mut function, cursor.text()?),
            "code" => once(&mut code, cursor.digest()?),
            "parts" => once(&mut parts, cursor.list(Cursor::part)?),
            _ => cursor.skip(),
        })?;
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
    // What was found before a fault counts: it is the fault of another field, or of what follows.
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
    field.ok_or(Fault::Missing(name))
}

impl Cursor<'_> {
    fn record(&mut self) -> Result<Box<Record>> {
        let (mut format, mut requires, mut key, mut function, mut code) = (None, None, None, None, None);
        let (mut arguments, mut created, mut duration, mut expires) = (None, None, None, None);
        let (mut value, mut arrays, mut overflow, mut producer) = (None, None, None, None);
        let (mut edited, mut origin, mut python, mut build, mut types) = (None, None, None, None, None);
        self.map(|cursor, name| match name {
            "format" => once(&mut format, cursor.u32()?),
            "requires" => once(&mut requires, cursor.list(Cursor::text)?),
            "key" => once(&mut key, cursor.digest()?),
            "function" => once(&mut function, cursor.text()?),
            "code" => once(&mut code, cursor.digest()?),
            "arguments" => once(&mut arguments, cursor.arguments()?),
            "created" => once(&mut created, cursor.u64()?),
            "duration" => once(&mut duration, cursor.u64()?),
            "expires" => once(&mut expires, cursor.u64()?),
            "value" => once(&mut value, cursor.bytes()?.to_vec()),
            "arrays" => once(&mut arrays, cursor.list(Cursor::array)?),
            "overflow" => once(&mut overflow, cursor.overflow()?),
            "producer" => once(&mut producer, cursor.shared_producer()?),
            "edited" => once(&mut edited, cursor.bool()?),
            "build" => once(&mut build, cursor.digest()?),
            "types" => once(&mut types, cursor.types()?),
            "origin" => once(&mut origin, cursor.text()?),
            "python" => once(&mut python, cursor.bytes()?.to_vec()),
            _ => cursor.skip(),
        })?;
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
        }))
    }

    fn slot(&mut self) -> Result<Slot> {
        let (mut format, mut requires, mut key, mut function, mut code) = (None, None, None, None, None);
        let (mut parts, mut arguments, mut created, mut duration) = (None, None, None, None);
        let (mut slot, mut target, mut producer, mut build, mut types) = (None, None, None, None, None);
        self.map(|cursor, name| match name {
            "format" => once(&mut format, cursor.u32()?),
            "requires" => once(&mut requires, cursor.list(Cursor::text)?),
            "key" => once(&mut key, cursor.digest()?),
            "function" => once(&mut function, cursor.text()?),
            "code" => once(&mut code, cursor.digest()?),
            "parts" => once(&mut parts, cursor.list(Cursor::part)?),
            "arguments" => once(&mut arguments, cursor.list(Cursor::argument)?),
            "created" => once(&mut created, cursor.u64()?),
            "duration" => once(&mut duration, cursor.u64()?),
            "build" => once(&mut build, cursor.digest()?),
            "types" => once(&mut types, cursor.types()?),
            "slot" => once(&mut slot, cursor.digest()?),
            "target" => once(&mut target, cursor.target()?),
            "producer" => once(&mut producer, cursor.producer()?),
            _ => cursor.skip(),
        })?;
        Ok(Slot {
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
            _ => Err(Fault::Value),
        }
    }

    /// Passes over the arguments, which a hit has no use for, once they are seen to be some.
    fn arguments(&mut self) -> Result<Arguments> {
        let before = self.rest();
        for _ in 0..self.array_len()? {
            self.check_argument()?;
        }
        Ok(Arguments::of_bytes(self.since(before)))
    }

    /// Whether an argument comes next, without memory for it.
    fn check_argument(&mut self) -> Result<()> {
        let (mut name, mut digest, mut text, mut secret, mut leaves) = (None, None, None, None, None);
        self.map(|cursor, field| match field {
            "name" => once(&mut name, cursor.str().map(drop)?),
            "digest" => once(&mut digest, cursor.digest()?),
            "text" => once(&mut text, cursor.str().map(drop)?),
            "secret" => once(&mut secret, cursor.bool()?),
            "leaves" => once(&mut leaves, cursor.list(Cursor::check_leaf).map(drop)?),
            _ => cursor.skip(),
        })?;
        needed(name, "name")?;
        needed(digest, "digest").map(drop)
    }

    /// Whether a leaf comes next, without memory for it.
    fn check_leaf(&mut self) -> Result<()> {
        let (mut path, mut digest, mut text) = (None, None, None);
        self.map(|cursor, name| match name {
            "path" => once(&mut path, cursor.str().map(drop)?),
            "digest" => once(&mut digest, cursor.digest()?),
            "text" => once(&mut text, cursor.str().map(drop)?),
            _ => cursor.skip(),
        })?;
        needed(path, "path")?;
        needed(digest, "digest").map(drop)
    }

    fn argument(&mut self) -> Result<Argument> {
        let (mut name, mut digest, mut text, mut secret, mut leaves) = (None, None, None, None, None);
        self.map(|cursor, field| match field {
            "name" => once(&mut name, cursor.text()?),
            "digest" => once(&mut digest, cursor.digest()?),
            "text" => once(&mut text, cursor.text()?),
            "secret" => once(&mut secret, cursor.bool()?),
            "leaves" => once(&mut leaves, cursor.list(Cursor::leaf)?),
            _ => cursor.skip(),
        })?;
        Ok(Argument {
            name: needed(name, "name")?,
            digest: needed(digest, "digest")?,
            text: text.unwrap_or_default(),
            leaves: leaves.unwrap_or_default(),
            secret: secret.unwrap_or_default(),
        })
    }

    fn leaf(&mut self) -> Result<Leaf> {
        let (mut path, mut digest, mut text) = (None, None, None);
        self.map(|cursor, name| match name {
            "path" => once(&mut path, cursor.text()?),
            "digest" => once(&mut digest, cursor.digest()?),
            "text" => once(&mut text, cursor.text()?),
            _ => cursor.skip(),
        })?;
        let (path, digest) = (needed(path, "path")?, needed(digest, "digest")?);
        Ok(Leaf { path, digest, text: text.unwrap_or_default() })
    }

    fn part(&mut self) -> Result<Part> {
        let (mut name, mut counts, mut package) = (None, None, None);
        let (mut version, mut body, mut facts) = (None, None, None);
        self.map(|cursor, field| match field {
            "name" => once(&mut name, cursor.text()?),
            "counts" => once(&mut counts, cursor.text()?),
            "package" => once(&mut package, cursor.text()?),
            "version" => once(&mut version, cursor.u64()?),
            "body" => once(&mut body, cursor.digest()?),
            "facts" => once(&mut facts, cursor.list(Cursor::fact)?),
            _ => cursor.skip(),
        })?;
        let (name, counts) = (needed(name, "name")?, needed(counts, "counts")?);
        Ok(Part { name, counts, package, version, body, facts: facts.unwrap_or_default() })
    }

    fn fact(&mut self) -> Result<(String, String)> {
        if self.array_len()? == 2 { Ok((self.text()?, self.text()?)) } else { Err(Fault::Value) }
    }

    fn array(&mut self) -> Result<ArrayRecord> {
        let (mut file, mut meta, mut offset) = (None, None, None);
        let (mut length, mut digest, mut codec) = (None, None, None);
        self.map(|cursor, name| match name {
            "file" => once(&mut file, cursor.text()?),
            "meta" => once(&mut meta, cursor.meta()?),
            "offset" => once(&mut offset, cursor.u64()?),
            "length" => once(&mut length, cursor.u64()?),
            "digest" => once(&mut digest, cursor.digest()?),
            "codec" => once(&mut codec, cursor.codec()?),
            _ => cursor.skip(),
        })?;
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
        let known = CODECS.iter().find(|&&known| known == codec);
        Ok(known.map_or_else(|| Cow::Owned(codec.to_owned()), |&known| Cow::Borrowed(known)))
    }

    fn meta(&mut self) -> Result<ArrayMeta> {
        let (mut descr, mut shape, mut order, mut itemsize) = (None, None, None, None);
        self.map(|cursor, name| match name {
            "descr" => once(&mut descr, cursor.str().map(dtype)?),
            "shape" => once(&mut shape, cursor.list(Cursor::u64)?),
            "order" => once(&mut order, cursor.order()?),
            "itemsize" => once(&mut itemsize, cursor.u64()?),
            _ => cursor.skip(),
        })?;
        let (shape, order) = (needed(shape, "shape")?, needed(order, "order")?);
        Ok(ArrayMeta { descr: needed(descr, "descr")?, shape, order, itemsize })
    }

    fn order(&mut self) -> Result<Order> {
        match self.str()? {
            "C" => Ok(Order::C),
            "F" => Ok(Order::F),
            _ => Err(Fault::Value),
        }
    }

    fn overflow(&mut self) -> Result<Overflow> {
        let (mut file, mut length, mut digest) = (None, None, None);
        self.map(|cursor, name| match name {
            "file" => once(&mut file, cursor.text()?),
            "length" => once(&mut length, cursor.u64()?),
            "digest" => once(&mut digest, cursor.digest()?),
            _ => cursor.skip(),
        })?;
        Ok(Overflow {
            file: needed(file, "file")?,
            length: needed(length, "length")?,
            digest: needed(digest, "digest")?,
        })
    }

    /// The producer that comes next; not decoded anew if it has the bytes of the one before. No value's bytes begin with
    /// another's.
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
        let (mut version, mut rustc, mut target, mut host, mut session) = (None, None, None, None, None);
        self.map(|cursor, name| match name {
            "version" => once(&mut version, cursor.text()?),
            "rustc" => once(&mut rustc, cursor.text()?),
            "target" => once(&mut target, cursor.text()?),
            "host" => once(&mut host, cursor.text()?),
            "session" => once(&mut session, cursor.text()?),
            _ => cursor.skip(),
        })?;
        Ok(Producer {
            version: needed(version, "version")?,
            rustc: needed(rustc, "rustc")?,
            target: needed(target, "target")?,
            host: needed(host, "host")?,
            session: needed(session, "session")?,
        })
    }

    fn target(&mut self) -> Result<TargetRecord> {
        let (mut path, mut length, mut modified, mut changed) = (None, None, None, None);
        let (mut inode, mut seen, mut digest) = (None, None, None);
        self.map(|cursor, name| match name {
            "path" => once(&mut path, cursor.bytes()?.to_vec()),
            "length" => once(&mut length, cursor.u64()?),
            "modified" => once(&mut modified, cursor.i64()?),
            "changed" => once(&mut changed, cursor.i64()?),
            "inode" => once(&mut inode, cursor.u64()?),
            "seen" => once(&mut seen, cursor.u64()?),
            "digest" => once(&mut digest, cursor.digest()?),
            _ => cursor.skip(),
        })?;
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
