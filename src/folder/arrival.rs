//! Entries from elsewhere: what has arrived is checked here, and only then does a record name it.

use crate::digest::Digest;
use crate::entry::archive::Archive;
use crate::entry::site::Site;
use crate::entry::write::put::Sink;
use crate::error::{Error, ErrorKind, Result};
use crate::folder::verify::check_array;
use crate::payload::Compression;
use crate::planted;
use crate::record::{ArrayRecord, Overflow, Record};
use crate::store::{NewBlob, nonce};

/// The files of an entry from elsewhere that no record names yet; removed when it is dropped before it is published.
pub(crate) struct Arrival<'a> {
    archive: &'a Archive,
    sink: Sink<'a>,
    site: &'a Site,
    record: Record,
}

impl<'a> Arrival<'a> {
    /// Nothing of it has arrived yet: `record` says what is to come, and `origin` where it comes from.
    pub(crate) fn new(archive: &'a Archive, site: &'a Site, record: &Record, origin: &str) -> Self {
        let record = Record { arrays: Vec::new(), overflow: None, origin: Some(origin.to_owned()), ..record.clone() };
        let sink = Sink::new(archive, site, Compression::None, String::new());
        Self { archive, sink, site, record }
    }

    /// Takes the file of the next array, which `fill` writes, and checks that it is what the record says, unless `fill`
    /// says that it has done so.
    pub(crate) fn take(
        &mut self,
        array: &ArrayRecord,
        expected: u64,
        fill: impl FnOnce(&mut NewBlob<'_>) -> Result<bool>,
    ) -> Result<()> {
        let arrived = take_array(self.archive, self.site, array, expected, fill)?;
        self.sink.arrays.push(arrived.clone());
        self.record.arrays.push(arrived);
        Ok(())
    }

    /// Publishes it in place of what stands there, unless that is of a newer version or of other types.
    pub(crate) fn publish(self) -> Result<()> {
        publish(self.archive, self.site, self.sink, &self.record)
    }
}

/// Writes the file of an array under a new name and checks what has arrived; one that isn't right is removed again.
/// `expected` bytes are reserved: none where the length is only claimed.
pub(crate) fn take_array(
    archive: &Archive,
    site: &Site,
    array: &ArrayRecord,
    expected: u64,
    fill: impl FnOnce(&mut NewBlob<'_>) -> Result<bool>,
) -> Result<ArrayRecord> {
    let name = format!("{}.{}.{}", site.key(), nonce(), array.codec);
    let whole = site.file(&name);
    let mut blob = archive.disk.create(&whole, expected)?;
    let is_checked = fill(&mut blob)?;
    blob.finish(archive.rules.durability)?;
    let arrived = ArrayRecord { file: name, ..array.clone() };
    if is_checked || planted::is("arrival not compared") {
        return Ok(arrived);
    }
    match check_array(&archive.disk, &whole, &arrived) {
        Ok(_) => Ok(arrived),
        Err(error) => {
            let _ = archive.disk.remove(&whole);
            Err(error.at(format_args!("file `{}` from elsewhere", array.file.escape_debug())))
        }
    }
}

/// Takes what overflowed a record, through a file of this folder that is removed again. A file of a few blocks may
/// claim to be gigabytes long: so `fill` hashes what it writes, and room is made only for what the record names.
/// `expected` bytes are reserved: none where the length is only claimed.
pub(crate) fn take_overflow(
    archive: &Archive,
    site: &Site,
    overflow: &Overflow,
    expected: u64,
    fill: impl FnOnce(&mut NewBlob<'_>) -> Result<Digest>,
) -> Result<Vec<u8>> {
    let name = site.file(&format!("{}.{}.msgpack", site.key(), nonce()));
    let mut blob = archive.disk.create(&name, expected)?;
    if fill(&mut blob)? != overflow.digest {
        let file = overflow.file.escape_debug();
        return Err(Error::damaged(format!("`{file}` from elsewhere is not the file that its record names")));
    }
    Ok(archive.disk.read(&name, overflow.length)?.ok_or_else(|| cleared(archive))?.bytes)
}

/// Publishes a record whose files have arrived.
pub(crate) fn publish(archive: &Archive, site: &Site, sink: Sink<'_>, record: &Record) -> Result<()> {
    // The caller has looked whether the entry there may be replaced.
    sink.publish(record, |_| true)?;
    if archive.is_whole(site, record).is_err() && archive.stands(site, record) {
        let _ = archive.remove(site, Some(record));
        return Err(cleared(archive));
    }
    Ok(())
}

fn cleared(archive: &Archive) -> Error {
    let folder = archive.disk.path().display();
    Error::new(ErrorKind::Changed, format!("cache `{folder}` was cleared while an entry came in"))
}
