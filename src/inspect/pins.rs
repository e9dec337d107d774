//! Pinned entries: lists of keys by name, which no limit takes (docs/format.md, "Pins").

use std::collections::BTreeMap;

use crate::digest::escaped;
use crate::entry::Entry;
use crate::error::{Error, Result};
use crate::folder::pins;
use crate::key::Key;
use crate::memory::Memory;
use crate::store::Durability;

/// The longest name of a list.
const NAME_MAX: usize = 200;

impl Memory {
    /// Pins entries under a name, in addition to those that are already pinned under it: no limit and no plan removes
    /// them, unless the user names them.
    ///
    /// # Errors
    ///
    /// Returns an error when the memory is read-only, when the name can't be a file name or ends in `.tmp`, and when
    /// the list can't be read or written.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// use ndcache::{Limits, Memory};
    ///
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = Memory::open(folder.path())?;
    /// memory.eval(double::call(1.5));
    /// memory.pin("paper", [&memory.entry(&double::call(1.5))?.unwrap()])?;
    /// assert_eq!(memory.reduce_size(Limits::default().items(0))?.items, 0);
    /// assert_eq!(memory.pins()?["paper"].len(), 1);
    /// assert!(memory.unpin("paper")?);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn pin<'a>(&self, name: &str, entries: impl IntoIterator<Item = &'a Entry>) -> Result<()> {
        let file = file(name)?;
        let Some(engine) = self.writable("pin an entry")? else { return Ok(()) };
        let disk = &engine.archive.disk;
        let mut text = match disk.read(&file, pins::FILE_MAX)? {
            Some(blob) => blob.bytes,
            None => Vec::new(),
        };
        if text.last().is_some_and(|last| *last != b'\n') {
            text.push(b'\n');
        }
        let known: Vec<Key> = pins::parse(&text).collect();
        for entry in entries.into_iter().filter(|entry| !known.contains(&entry.key())) {
            text.extend(format!("{}  {}\n", entry.key(), escaped(entry.function())).into_bytes());
        }
        if text.len() as u64 > pins::FILE_MAX {
            return Err(Error::unsupported(format!("pins `{name}` have more than {} bytes", pins::FILE_MAX)));
        }
        disk.replace(&file, &text, Durability::Buffered)
    }

    /// Removes the list of pins with this name, and returns whether there was one; the entries stay, and aren't
    /// pinned any more.
    ///
    /// # Errors
    ///
    /// Returns an error when the memory is read-only, when the name is invalid, and when the list can't be removed.
    pub fn unpin(&self, name: &str) -> Result<bool> {
        let file = file(name)?;
        match self.writable("unpin entries")? {
            Some(engine) => engine.archive.disk.remove(&file),
            None => Ok(false),
        }
    }

    /// Returns the pinned keys, by the names of their lists. Keys needn't have an entry.
    ///
    /// # Errors
    ///
    /// Returns an error when a list can't be read.
    pub fn pins(&self) -> Result<BTreeMap<String, Vec<Key>>> {
        match &self.0 {
            Some(engine) => pins::lists(&engine.archive.disk),
            None => Ok(BTreeMap::new()),
        }
    }
}

/// The file of the pins of this name, below the root.
fn file(name: &str) -> Result<String> {
    let plain = |char: char| !char.is_control() && char != '/';
    let is_right = !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(plain);
    if is_right && !name.starts_with('.') && !name.ends_with(".tmp") {
        return Ok(format!("p/{name}"));
    }
    let shown: String = name.chars().take(NAME_MAX).flat_map(char::escape_debug).collect();
    Err(Error::invalid(format!("pins can't have the name `{shown}`, expected that of a file, without `.` before it")))
}
