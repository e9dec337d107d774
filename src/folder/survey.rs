//! Everything that the function folders hold, shard by shard and by several threads.

use std::cell::OnceCell;
use std::panic::resume_unwind;
use std::thread;

use crate::digest::escaped;
use crate::entry::read::find::{FoundEntry, read_record, read_record_in};
use crate::error::{Error, ErrorKind, Result};
use crate::folder::walk::{Listing, Shards, Unlisted, threads};
use crate::key::{self, Key};
use crate::record::CODEC_NAMES;
use crate::store::{Disk, FileKind, OpenFolder};

/// One of the folders in which a function's entries lie, with what is in it.
pub(crate) struct Shard<'a> {
    disk: &'a Disk,
    /// The index of the function's folder in [`Survey::functions`].
    pub(crate) function: usize,
    pub(crate) name: String,
    open: Option<OpenFolder>,
    pub(crate) items: Vec<ShardItem>,
    /// A function whose folder this is: most entries are of one.
    known: OnceCell<String>,
}

/// Something that lies in a shard: a file; or a FIFO, say.
pub(crate) struct ShardItem {
    pub(crate) name: String,
    pub(crate) role: FileRole,
    pub(crate) kind: FileKind,
}

/// What a file is by its name (docs/format.md, "Layout").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileRole {
    Record(Key),
    /// An array or an overflow.
    Data(Key),
    /// A record that isn't published yet, or an array that another machine puts here.
    Staged(Key),
    /// Nothing of ours.
    Foreign,
}

impl FileRole {
    /// The role of a file in the shard `shard`.
    pub(crate) fn of(name: &str, shard: &str) -> Self {
        Self::parse(name, shard).or_else(|| Self::parse_readable(name, shard)).unwrap_or(Self::Foreign)
    }

    fn parse(name: &str, shard: &str) -> Option<Self> {
        let (key, rest) = name.split_once('.')?;
        let key = parse_key(key, shard)?;
        if rest == "record" {
            return Some(Self::Record(key));
        }
        if rest.strip_prefix("record.").is_some_and(|rest| is_nonce_with(rest, &["tmp"])) {
            return Some(Self::Staged(key));
        }
        if rest
            .strip_suffix(".tmp")
            .and_then(|rest| rest.rsplit_once('.'))
            .is_some_and(|(rest, nonce)| is_nonce_with(&format!("{nonce}.tmp"), &["tmp"]) && is_data(rest))
        {
            return Some(Self::Staged(key));
        }
        is_data(rest).then_some(Self::Data(key))
    }

    /// An array with a readable stem before its key. The stem may be anything, so that this reads from the end.
    fn parse_readable(name: &str, shard: &str) -> Option<Self> {
        let (stem, rest) = name.rsplit_once('-')?;
        let (key, rest) = rest.split_once('.')?;
        let key = parse_key(key, shard)?;
        let readable = !stem.is_empty() && !stem.starts_with('.') && is_nonce_with(rest, CODEC_NAMES);
        readable.then_some(Self::Data(key))
    }

    /// The entry that it belongs to.
    pub(crate) fn key(self) -> Option<Key> {
        match self {
            Self::Record(key) | Self::Data(key) | Self::Staged(key) => Some(key),
            Self::Foreign => None,
        }
    }
}

/// The key in a file's name. Upper-case digits would parse, but name no entry; nor does a key in the shard of others.
fn parse_key(text: &str, shard: &str) -> Option<Key> {
    let is_ours = text.starts_with(shard) && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    is_ours.then(|| text.parse().ok().map(Key::from_digest)).flatten()
}

/// Whether the end of a name, after the key, is that of an array or an overflow.
fn is_data(rest: &str) -> bool {
    is_nonce_with(rest, CODEC_NAMES) || is_nonce_with(rest, &["msgpack"])
}

/// Whether a name's end is a nonce and one of these.
pub(crate) fn is_nonce_with(rest: &str, endings: &[&str]) -> bool {
    let Some((nonce, ending)) = rest.split_once('.') else { return false };
    nonce.len() == 16 && nonce.bytes().all(|byte| byte.is_ascii_hexdigit()) && endings.contains(&ending)
}

/// What a record turns out to be.
pub(crate) enum RecordState {
    Entry(Box<FoundEntry>),
    Damaged(Error),
    /// A newer version has stored it, and it is to be left alone.
    Newer(Error),
    /// The file system failed.
    Unreadable(Error),
    /// It is no longer there.
    Gone,
}

impl RecordState {
    /// Reads the record `name` of `key`, in the function folder `folder`.
    pub(crate) fn read(disk: &Disk, name: &str, key: Key, folder: &str) -> Self {
        Self::of(read_record(disk, name), disk, name, key, |function| key::folder(function) == folder)
    }

    /// What was read of the record `name` of `key`; `is_home` says whether its folder is that of a function.
    fn of(
        read: Result<Option<FoundEntry>>,
        disk: &Disk,
        name: &str,
        key: Key,
        is_home: impl FnOnce(&str) -> bool,
    ) -> Self {
        match read {
            Ok(None) => Self::Gone,
            Ok(Some(found)) if found.record.key == key.digest() && is_home(&found.record.function) => {
                Self::Entry(Box::new(found))
            }
            Ok(Some(found)) => {
                let (path, record) = (disk.path_of(name), &found.record);
                Self::Damaged(Error::damaged(format!(
                    "record `{}` is of `{}` under key {}",
                    path.display(),
                    escaped(&record.function),
                    record.key
                )))
            }
            Err(error) => match error.kind() {
                ErrorKind::Newer => Self::Newer(error),
                ErrorKind::Damaged => Self::Damaged(error),
                _ => Self::Unreadable(error),
            },
        }
    }
}

impl<'a> Shard<'a> {
    fn of(disk: &'a Disk, listing: Listing) -> Self {
        let Listing { function, name, open, items } = listing;
        let digits = name.rsplit_once('/').map_or("", |(_, digits)| digits);
        let items = items.into_iter().map(|item| ShardItem {
            role: match FileRole::of(&item.name, digits) {
                FileRole::Data(_) | FileRole::Staged(_) if item.kind == FileKind::Folder => FileRole::Foreign,
                role => role,
            },
            name: item.name,
            kind: item.kind,
        });
        let items = items.collect();
        Self { disk, function, name, open, items, known: OnceCell::new() }
    }

    /// The name, below the root, of one of its files.
    pub(crate) fn path(&self, file: &str) -> String {
        [&*self.name, "/", file].concat()
    }

    /// What stands in a record, of `key`, in the folder that was listed: another folder may be at its path by now.
    pub(crate) fn listed_state(&self, key: Key, record: &ShardItem) -> RecordState {
        let name = self.path(&record.name);
        let read = read_record_in(self.disk, self.open.as_ref(), &name);
        RecordState::of(read, self.disk, &name, key, |function| self.is_home(function))
    }

    fn is_home(&self, function: &str) -> bool {
        if self.known.get().is_some_and(|known| known == function) {
            return true;
        }
        let is_home = key::folder(function) == self.folder();
        if is_home {
            let _ = self.known.set(function.to_owned());
        }
        is_home
    }

    /// That of the function.
    pub(crate) fn folder(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// What stands now in the record of `key`.
    pub(crate) fn state(&self, key: Key) -> RecordState {
        RecordState::read(self.disk, &self.path(&format!("{key}.record")), key, self.folder())
    }

    /// Its records, with their keys.
    pub(crate) fn records(&self) -> impl Iterator<Item = (Key, &ShardItem)> {
        self.items.iter().filter_map(|item| match item.role {
            FileRole::Record(key) => Some((key, item)),
            _ => None,
        })
    }
}

/// What a survey has found.
pub(crate) struct Survey<T> {
    /// The folders of the functions.
    pub(crate) functions: Vec<String>,
    /// One for each thread.
    pub(crate) tallies: Vec<T>,
    /// The folders that couldn't be listed: everything else was.
    pub(crate) unlisted: Vec<Unlisted>,
}

impl<T> Survey<T> {
    /// Why a folder couldn't be listed, if there is such a one.
    pub(crate) fn unread(&self) -> Option<String> {
        self.unlisted.first().map(|unlisted| unlisted.error.to_string())
    }
}

/// Shows every shard to `visit`, with the tally of the thread that calls it.
///
/// On threads of its own: rayon's may be busy for hours with the very functions whose results are stored, and one that
/// waits runs others' jobs. Where no thread is to be had, the calling one does everything.
pub(crate) fn survey<T: Default + Send>(disk: &Disk, visit: impl Fn(&mut T, &Shard<'_>) + Sync) -> Result<Survey<T>> {
    let shards = Shards::of(disk)?;
    let work = || {
        let (mut tally, mut unlisted) = (T::default(), Vec::new());
        while let Some(listing) = shards.next(disk) {
            match listing {
                Ok(listing) => visit(&mut tally, &Shard::of(disk, listing)),
                // A link in a folder's place, which isn't the cache's.
                Err(fault) if fault.error.kind() == ErrorKind::Damaged => {}
                Err(fault) => unlisted.push(fault),
            }
        }
        (tally, unlisted)
    };
    let done: Vec<_> = thread::scope(|scope| {
        let spawn = |_| thread::Builder::new().name("ndcache-survey".to_owned()).spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads()).filter_map(spawn).collect();
        let mine = work();
        let theirs = others.into_iter().map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        theirs.chain([mine]).collect()
    });
    let (tallies, unlisted): (_, Vec<_>) = done.into_iter().unzip();
    Ok(Survey { functions: shards.into_functions(), tallies, unlisted: unlisted.into_iter().flatten().collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    #[test]
    fn folders_that_are_none_of_ours_are_not_looked_into() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::open(folder.path()).unwrap();
        let disk = &memory.0.as_ref().unwrap().archive.disk;
        for shard in ["00", "ff", "FF", "0", "000", "lost+found", ".snapshot", "code"] {
            std::fs::create_dir_all(folder.path().join("f/x").join(shard)).unwrap();
        }
        let (shards, mut names) = (Shards::of(disk).unwrap(), Vec::new());
        while let Some(listing) = shards.next(disk) {
            names.push(listing.ok().unwrap().name);
        }
        names.sort();
        assert_eq!(names, ["f/x/00", "f/x/ff"]);
        let survey = survey(disk, |seen: &mut Vec<_>, shard| seen.push(shard.name.clone())).unwrap();
        let mut seen = survey.tallies.concat();
        seen.sort();
        assert_eq!(seen, names);
    }

    #[test]
    fn a_file_is_known_by_its_name() {
        let key = "00112233445566778899aabbccddeeff";
        let part = |rest: &str| FileRole::of(&format!("{key}.{rest}"), "00");
        let of = Key::from_digest(key.parse().unwrap());
        assert_eq!(part("record"), FileRole::Record(of));
        assert_eq!(part("record.0123456789abcdef.tmp"), FileRole::Staged(of));
        for data in ["npy", "npy.gz", "msgpack"] {
            assert_eq!(part(&format!("0123456789abcdef.{data}")), FileRole::Data(of));
            let put = format!("0123456789abcdef.{data}.0123456789abcdef.tmp");
            assert_eq!(part(&put), FileRole::Staged(of), "on its way from another machine");
        }
        for foreign in ["", "npy", "record.bak", "record.tmp", "0123456789abcdef", "0123456789abcdef.txt", "0123.npy"] {
            assert_eq!(part(foreign), FileRole::Foreign, "{foreign}");
        }
        let upper = key.to_uppercase();
        for foreign in [format!("{upper}.record"), "notes.record".to_owned(), "record".to_owned(), key.to_owned()] {
            assert_eq!(FileRole::of(&foreign, "00"), FileRole::Foreign, "{foreign}");
        }
        assert_eq!(FileRole::of(&format!("{key}.record"), "01"), FileRole::Foreign, "in another key's shard");
    }

    #[test]
    fn a_readable_array_is_known_by_the_end_of_its_name() {
        let key = "00112233445566778899aabbccddeeff";
        let of = Key::from_digest(key.parse().unwrap());
        for stem in ["features(n=3,k=0.5)", "a-b.c", key, "x-", "00"] {
            for array in ["npy", "npy.gz"] {
                let name = format!("{stem}-{key}.0123456789abcdef.{array}");
                assert_eq!(FileRole::of(&name, "00"), FileRole::Data(of), "{name}");
                assert_eq!(FileRole::of(&name, "01"), FileRole::Foreign, "in another key's shard");
            }
        }
        for foreign in [
            format!("-{key}.0123456789abcdef.npy"),
            format!(".f()-{key}.0123456789abcdef.npy"),
            format!("f(){key}.0123456789abcdef.npy"),
            format!("f()-{key}.0123456789abcdef.msgpack"),
            format!("f()-{key}.npy"),
            format!("f()-{key}.record"),
            format!("f()-{key}.record.0123456789abcdef.tmp"),
            format!("f()-{}.0123456789abcdef.npy", &key[1..]),
        ] {
            assert_eq!(FileRole::of(&foreign, "00"), FileRole::Foreign, "{foreign}");
        }
    }
}
