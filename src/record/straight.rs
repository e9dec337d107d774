//! Decodes a record that stands there as this version writes it, fields in their order: a third of serde's work, which
//! was a third of a first hit. Of anything else it says nothing, and serde decides.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use rmp::Marker;
use rmp::decode::{read_array_len, read_bin_len, read_bool, read_int, read_map_len, read_str_len};

use super::{ArgumentRecord, ArrayRecord, Producer, Record};
use crate::digest::{ArrayMeta, Digest, Order};

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

pub(super) fn decode(body: &[u8]) -> Option<Record> {
    let decode = |last: &RefCell<Last>| {
        let mut cursor = Cursor(body);
        let record = cursor.record(&mut last.borrow_mut())?;
        cursor.0.is_empty().then_some(record)
    };
    LAST.try_with(decode).ok()?
}

/// What is left of the bytes.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn record(&mut self, last: &mut Last) -> Option<Record> {
        let fields = read_map_len(&mut self.0).ok()?;
        let format = u32::try_from(self.named("format", Self::number)?).ok()?;
        let key = self.named("key", Self::digest)?;
        let function = self.named("function", Self::text)?;
        let code = self.named("code", Self::digest)?;
        let parts =
            self.if_named("parts", |cursor| cursor.unless_same(&mut last.parts, |cursor| cursor.skip(PART_DEPTH)))?;
        let arguments = self.named("arguments", |cursor| cursor.list(Self::argument))?;
        let created = self.named("created", Self::number)?;
        let duration = self.named("duration", Self::number)?;
        let expires = self.if_named("expires", Self::number)?;
        let value = self.if_named("value", Self::bytes)?;
        let arrays = self.if_named("arrays", |cursor| cursor.list(Self::array))?;
        let producer = self.named("producer", |cursor| cursor.unless_same(&mut last.producer, Self::producer))?;
        let edited = self.named("edited", |cursor| read_bool(&mut cursor.0).ok())?;
        let optional = [parts.is_some(), expires.is_some(), value.is_some(), arrays.is_some()];
        let found = 9 + optional.iter().filter(|&&found| found).count();
        (fields as usize == found).then(|| Record {
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
            value: value.unwrap_or_default().to_vec(),
            arrays: arrays.unwrap_or_default(),
            overflow: None,
            producer,
            edited,
        })
    }

    fn argument(&mut self) -> Option<ArgumentRecord> {
        self.map_of(3)?;
        let name = self.named("name", Self::text)?;
        let digest = self.named("digest", Self::digest)?;
        Some(ArgumentRecord { name, digest, text: self.named("text", Self::text)? })
    }

    fn array(&mut self) -> Option<ArrayRecord> {
        self.map_of(6)?;
        Some(ArrayRecord {
            file: self.named("file", Self::text)?,
            meta: self.named("meta", Self::meta)?,
            offset: self.named("offset", Self::number)?,
            length: self.named("length", Self::number)?,
            digest: self.named("digest", Self::digest)?,
            codec: self.named("codec", Self::text)?,
        })
    }

    fn meta(&mut self) -> Option<ArrayMeta> {
        self.map_of(3)?;
        let descr = Cow::Owned(self.named("descr", Self::text)?);
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
        *last = Some((before[..before.len() - self.0.len()].into(), value.clone()));
        Some(value)
    }

    /// The field of this name, which is compared at once where its length is known: hence the inlining.
    #[inline(always)]
    fn named<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.if_named(name, read)?
    }

    /// The field of this name, if it comes next.
    #[inline(always)]
    fn if_named<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        let head = u8::try_from(name.len()).ok().filter(|&len| len < 32).map(|len| Marker::FixStr(len).to_u8())?;
        let Some(rest) = self.0.strip_prefix(&[head]).and_then(|rest| rest.strip_prefix(name.as_bytes())) else {
            return Some(None);
        };
        self.0 = rest;
        read(self).map(Some)
    }

    fn map_of(&mut self, len: u32) -> Option<()> {
        (read_map_len(&mut self.0).ok()? == len).then_some(())
    }

    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        // Nothing is reserved for a length that is only claimed.
        (0..read_array_len(&mut self.0).ok()?).map(|_| read(self)).collect()
    }

    fn number(&mut self) -> Option<u64> {
        read_int(&mut self.0).ok()
    }

    fn digest(&mut self) -> Option<Digest> {
        Some(Digest::from_bytes(self.bytes()?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<String> {
        self.str().map(str::to_owned)
    }

    fn str(&mut self) -> Option<&'a str> {
        let len = read_str_len(&mut self.0).ok()?;
        std::str::from_utf8(self.take(len)?).ok()
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = read_bin_len(&mut self.0).ok()?;
        self.take(len)
    }

    fn take(&mut self, len: u32) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len as usize)?;
        self.0 = rest;
        Some(taken)
    }

    /// Passes over what parts are made of.
    fn skip(&mut self, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match Marker::from_u8(*self.0.first()?) {
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 => drop(self.str()?),
            Marker::Bin8 => drop(self.bytes()?),
            Marker::FixPos(_) | Marker::U8 | Marker::U16 | Marker::U32 | Marker::U64 => drop(self.number()?),
            Marker::FixArray(_) | Marker::Array16 => {
                let len = read_array_len(&mut self.0).ok()?;
                (0..len).try_for_each(|_| self.skip(depth))?;
            }
            Marker::FixMap(_) => {
                let len = read_map_len(&mut self.0).ok()?;
                (0..2 * len).try_for_each(|_| self.skip(depth))?;
            }
            _ => return None,
        }
        Some(())
    }
}
