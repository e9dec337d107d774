//! Decodes a record that stands there as this version writes it, fields in their order: a third of serde's work, which
//! was a third of a first hit. Of anything else it says nothing, and serde decides.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use super::{Argument, Arguments, ArrayRecord, CODECS, Producer, Record};
use crate::digest::{ArrayMeta, Digest, Order, known_dtype};
use crate::key::Types;

/// How deep a part nests: parts, one of them, its facts, one of them.
const PART_DEPTH: usize = 5;

thread_local! {
    /// Of the record before.
    static LAST: RefCell<Last> = RefCell::default();
}

/// What most records of a folder, or of a process, have in common; it isn't decoded again, which is nearly half of
/// the work.
#[derive(Default)]
struct Last {
    parts: Remembered<()>,
    producer: Remembered<Arc<Producer>>,
}

/// A value, and the bytes that it was decoded from.
type Remembered<T> = Option<(Vec<u8>, T)>;

pub(super) fn decode(body: &[u8]) -> Option<Box<Record>> {
    let decode = |last: &RefCell<Last>| {
        let mut cursor = Cursor(body);
        let record = cursor.record(&mut last.borrow_mut())?;
        cursor.0.is_empty().then_some(record)
    };
    LAST.try_with(decode).ok()?
}

/// The list that `Arguments` has kept the bytes of.
pub(super) fn arguments(bytes: &[u8]) -> Option<Vec<Argument>> {
    Cursor(bytes).list(|cursor| {
        let (name, digest, text) = cursor.argument()?;
        Some(Argument { name: name.to_owned(), digest, text: text.to_owned() })
    })
}

/// What is left of the bytes.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn record(&mut self, last: &mut Last) -> Option<Box<Record>> {
        let fields = self.length(MAP)?;
        let format = u32::try_from(self.named("format", Self::number)?).ok()?;
        let key = self.named("key", Self::digest)?;
        let function = self.named("function", Self::text)?;
        let code = self.named("code", Self::digest)?;
        let parts =
            self.if_named("parts", |cursor| cursor.unless_same(&mut last.parts, |cursor| cursor.skip(PART_DEPTH)))?;
        let arguments = self.named("arguments", Self::arguments)?;
        let created = self.named("created", Self::number)?;
        let duration = self.named("duration", Self::number)?;
        let expires = self.if_named("expires", Self::number)?;
        let build = self.if_named("build", Self::digest)?;
        let types = self.if_named("types", Self::types)?;
        let value = self.if_named("value", Self::bytes)?;
        let arrays = self.if_named("arrays", |cursor| cursor.list(Self::array))?;
        let producer = self.named("producer", |cursor| cursor.unless_same(&mut last.producer, Self::producer))?;
        let edited = self.named("edited", Self::truth)?;
        let rest = [expires.is_some(), value.is_some(), arrays.is_some()];
        let optional = [parts.is_some(), build.is_some(), types.is_some()].into_iter().chain(rest);
        let found = 9 + optional.filter(|&found| found).count();
        if fields != found {
            return None;
        }
        Some(Box::new(Record {
            format,
            requires: Vec::new(),
            key,
            function,
            code,
            parts: Vec::new(),
            arguments,
            created,
            duration,
            expires,
            build,
            types,
            value: value.unwrap_or_default().to_vec(),
            arrays: arrays.unwrap_or_default(),
            overflow: None,
            producer,
            edited,
        }))
    }

    fn arguments(&mut self) -> Option<Arguments> {
        let before = self.0;
        (0..self.length(LIST)?).try_for_each(|_| self.argument().map(drop))?;
        Some(Arguments::of_bytes(self.since(before)))
    }

    fn types(&mut self) -> Option<Types> {
        if self.length(LIST)? != 3 {
            return None;
        }
        Some(Types::from_numbers([self.number()?, self.number()?, self.number()?]))
    }

    fn argument(&mut self) -> Option<(&'a str, Digest, &'a str)> {
        self.map_of(3)?;
        let name = self.named("name", Self::str)?;
        let digest = self.named("digest", Self::digest)?;
        Some((name, digest, self.named("text", Self::str)?))
    }

    fn array(&mut self) -> Option<ArrayRecord> {
        self.map_of(6)?;
        Some(ArrayRecord {
            file: self.named("file", Self::text)?,
            meta: self.named("meta", Self::meta)?,
            offset: self.named("offset", Self::number)?,
            length: self.named("length", Self::number)?,
            digest: self.named("digest", Self::digest)?,
            codec: self.named("codec", Self::codec)?,
        })
    }

    fn codec(&mut self) -> Option<Cow<'static, str>> {
        let codec = self.str()?;
        let known = CODECS.iter().find(|&&known| known == codec);
        Some(known.map_or_else(|| Cow::Owned(codec.to_owned()), |&known| Cow::Borrowed(known)))
    }

    fn meta(&mut self) -> Option<ArrayMeta> {
        self.map_of(3)?;
        let descr = self.named("descr", Self::str)?;
        let descr = known_dtype(descr).map_or_else(|| Cow::Owned(descr.to_owned()), Cow::Borrowed);
        let shape = self.named("shape", |cursor| cursor.list(Self::number))?;
        let order = match self.named("order", Self::str)? {
            "C" => Order::C,
            "F" => Order::F,
            _ => return None,
        };
        Some(ArrayMeta { descr, shape, order })
    }

    fn producer(&mut self) -> Option<Arc<Producer>> {
        self.map_of(5)?;
        Some(Arc::new(Producer {
            version: self.named("version", Self::text)?,
            rustc: self.named("rustc", Self::text)?,
            target: self.named("target", Self::text)?,
            host: self.named("host", Self::text)?,
            session: self.named("session", Self::text)?,
        }))
    }

    /// What `read` gives, unless the same bytes come next as the last time. No value's bytes begin with another's.
    fn unless_same<T: Clone>(
        &mut self,
        last: &mut Remembered<T>,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        if let Some((bytes, value)) = last
            && let Some(rest) = self.0.strip_prefix(&**bytes)
        {
            self.0 = rest;
            return Some(value.clone());
        }
        let before = self.0;
        let value = read(self)?;
        *last = Some((self.since(before).into(), value.clone()));
        Some(value)
    }

    /// What was read since so much was left.
    fn since(&self, before: &'a [u8]) -> &'a [u8] {
        &before[..before.len() - self.0.len()]
    }

    /// The field of this name.
    #[inline(always)]
    fn named<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.if_named(name, read)?
    }

    /// The field of this name, if it comes next; inlined, so that names are compared as numbers.
    #[inline(always)]
    fn if_named<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        let head = STR.fix.start + u8::try_from(name.len()).ok().filter(|&len| len < 32)?;
        let Some(rest) = self.0.strip_prefix(&[head]).and_then(|rest| rest.strip_prefix(name.as_bytes())) else {
            return Some(None);
        };
        self.0 = rest;
        read(self).map(Some)
    }

    fn map_of(&mut self, len: usize) -> Option<()> {
        (self.length(MAP)? == len).then_some(())
    }

    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let len = self.length(LIST)?;
        // Little is reserved for a length that is only claimed.
        let mut list = Vec::with_capacity(len.min(8));
        for _ in 0..len {
            list.push(read(self)?);
        }
        Some(list)
    }

    fn truth(&mut self) -> Option<bool> {
        match self.take(1)? {
            [0xc2] => Some(false),
            [0xc3] => Some(true),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<u64> {
        self.head(NUMBER)
    }

    fn digest(&mut self) -> Option<Digest> {
        Some(Digest::from_bytes(self.bytes()?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<String> {
        self.str().map(str::to_owned)
    }

    fn str(&mut self) -> Option<&'a str> {
        let len = self.length(STR)?;
        std::str::from_utf8(self.take(len)?).ok()
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.length(BIN)?;
        self.take(len)
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn length(&mut self, kind: Kind) -> Option<usize> {
        usize::try_from(self.head(kind)?).ok()
    }

    /// A number, or the length of what follows.
    #[inline]
    fn head(&mut self, kind: Kind) -> Option<u64> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        if kind.fix.contains(first) {
            return Some(u64::from(first - kind.fix.start));
        }
        if !kind.wide.contains(first) {
            return None;
        }
        let bytes = self.take(1 << (kind.least + first - kind.wide.start))?;
        Some(bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// Passes over what parts are made of.
    fn skip(&mut self, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let first = self.0.first()?;
        let is = |kind: Kind| kind.fix.contains(first) || kind.wide.contains(first);
        if is(STR) {
            self.str().map(drop)
        } else if is(BIN) {
            self.bytes().map(drop)
        } else if is(NUMBER) {
            self.number().map(drop)
        } else if is(LIST) {
            (0..self.length(LIST)?).try_for_each(|_| self.skip(depth))
        } else if is(MAP) {
            (0..2 * self.length(MAP)?).try_for_each(|_| self.skip(depth))
        } else {
            None
        }
    }
}

/// How MessagePack writes a number or a length: as one byte of `fix`, or in some bytes behind one of `wide`.
#[derive(Clone)]
struct Kind {
    fix: Range<u8>,
    wide: Range<u8>,
    /// The bytes behind the first of `wide`, as a power of two; behind the next ones are twice as many each.
    least: u8,
}

const NUMBER: Kind = Kind { fix: 0x00..0x80, wide: 0xcc..0xd0, least: 0 };
const STR: Kind = Kind { fix: 0xa0..0xc0, wide: 0xd9..0xdc, least: 0 };
const BIN: Kind = Kind { fix: 0..0, wide: 0xc4..0xc7, least: 0 };
const LIST: Kind = Kind { fix: 0x90..0xa0, wide: 0xdc..0xde, least: 1 };
const MAP: Kind = Kind { fix: 0x80..0x90, wide: 0xde..0xe0, least: 1 };
