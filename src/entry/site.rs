//! Where the files of one key are.

use std::borrow::Cow;

use crate::digest::Digest;
use crate::entry::rules::Mode;
use crate::key::{Function, Key, Types};
use crate::record::Record;

/// How the name of a record ends.
const RECORD: &str = ".record";

/// Where the files of one key are.
#[derive(Clone)]
pub(crate) struct Site {
    /// `f/<stem>-<hash>`
    folder: Cow<'static, str>,
    key: Key,
    /// Where it is remembered.
    memo_key: Digest,
    /// Nothing may be written, whatever the memory's mode.
    read_only: bool,
    /// What no Rust type takes is taken, too.
    any_value: bool,
    /// Whose entry it is to be, with the types that aren't the function's own.
    call: Option<(&'static Function, u64)>,
}

impl Site {
    /// Makes no name yet: a repeated hit needs none.
    pub(crate) fn new(folder: impl Into<Cow<'static, str>>, key: Key) -> Self {
        Self { folder: folder.into(), key, memo_key: key.digest(), read_only: false, any_value: false, call: None }
    }

    /// The site of a call that has this memo key, if it has one.
    pub(crate) fn remembered_by(self, memo_key: Option<Digest>) -> Self {
        Self { memo_key: memo_key.unwrap_or(self.memo_key), ..self }
    }

    /// The site of a call of these types, and not of others with the same names: keys are made of names.
    pub(crate) fn of(mut self, function: &'static Function, other_types: u64) -> Self {
        self.call = Some((function, other_types));
        self
    }

    /// Whether `record` is of the types that are asked for, as far as that is known.
    pub(crate) fn suits(&self, record: &Record) -> bool {
        self.call
            .is_none_or(|(function, others)| Types::new(function, others).suit(function, record.types, record.build))
    }

    pub(crate) fn folder(&self) -> &str {
        &self.folder
    }

    pub(crate) fn memo_key(&self) -> Digest {
        self.memo_key
    }

    /// The site of a call of a function whose mode is `mode`.
    pub(crate) fn under(self, mode: Mode) -> Self {
        Self { read_only: mode >= Mode::ReadOnly, ..self }
    }

    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// The site of a call whose result may be one that no Rust type takes.
    pub(crate) fn of_any_value(self) -> Self {
        Self { any_value: true, ..self }
    }

    pub(crate) fn takes_any_value(&self) -> bool {
        self.any_value
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }

    pub(crate) fn record(&self) -> String {
        let key = self.key.digest().hex();
        let key = key.as_str();
        let mut name = self.beside(key, key.len() + RECORD.len());
        name.push_str(key);
        name.push_str(RECORD);
        name
    }

    /// The name, below the root, of one of the entry's files.
    pub(crate) fn file(&self, file: &str) -> String {
        let mut name = self.beside(self.key.digest().hex().as_str(), file.len());
        name.push_str(file);
        name
    }

    /// The folder of the entry's files, with room for a name.
    fn beside(&self, key: &str, room: usize) -> String {
        let mut name = String::with_capacity(self.folder.len() + "/00/".len() + room);
        name.push_str(&self.folder);
        name.push('/');
        name.push_str(&key[..2]);
        name.push('/');
        name
    }
}

/// Whether a folder in that of a function has the name of a shard: the first two digits of keys.
pub(crate) fn is_shard(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
