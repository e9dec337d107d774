//! `ndcache export`: entries as an archive, or an array as a file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use ndcache::{Entry, Key, Memory};
use serde_json::json;

use crate::args::Export;
use crate::commands::exchange::archive::CODE;
use crate::commands::look::tree::Untraced;
use crate::entry::{chosen, open_for};
use crate::exit::{Exit, Failure, Outcome};
use crate::filter::Filter;
use crate::interrupt::Unfinished;
use crate::out::{Out, item_text};
use crate::text::{entries, rfc3339, safe, size};

/// How often an entry is read that is replaced meanwhile.
const TRIES: usize = 5;

pub(crate) fn run(args: &Export, out: &mut Out) -> Outcome {
    let mut filter = Filter::new(&args.selection)?;
    let selects = args.function.is_some() || filter.is_any();
    if selects != args.entries.is_empty() {
        let what = "expected either entries, or `--function`, `--where` or `--older`";
        return Err(Failure::usage(format!("which entries are to be exported? {what}")));
    }
    let memory = open_for(out, args.entries.first().map_or("", String::as_str))?;
    let (named, function) = (&args.entries, args.function.as_deref());
    let mut untraced = Untraced::default();
    let chosen = chosen(&memory, named, function, &mut filter, out, |entries| match args.lineage {
        true => {
            let entries = memory.with_lineage(entries)?;
            entries.iter().for_each(|entry| untraced.add(entry, |_| false));
            Chosen::of(entries, args)
        }
        false => Chosen::of(entries, args),
    })?;
    untraced.tell(out);
    if chosen.0.is_empty() {
        return Err(Failure::found("no entry is selected, and nothing was written"));
    }
    match (&args.npy, &args.output) {
        (Some(npy), _) => export_npy(&memory, &chosen, npy, out),
        (None, Some(output)) => export_tar(&memory, args, &chosen, output, out),
        (None, None) => Err(Failure::usage("expected `-o` with a name for the archive, or `--npy`")),
    }
}

/// The keys of the entries, and the paths of their functions. There may be very many: each is read again once it is
/// packed.
struct Chosen(BTreeMap<Key, Arc<str>>);

impl Chosen {
    /// # Errors
    /// Returns a failure when one of them holds what Python pickled, unless that is wanted.
    fn of(entries: impl IntoIterator<Item = Entry>, args: &Export) -> Outcome<Self> {
        let (mut chosen, mut functions) = (BTreeMap::new(), BTreeSet::<Arc<str>>::new());
        for entry in entries {
            let key = entry.key();
            if entry.holds_pickle() && !args.with_pickles {
                return Err(Failure::usage(format!(
                    "entry {key} holds an object that Python pickled: say `--with-pickles`"
                )));
            }
            let function = functions.get(entry.function()).cloned().unwrap_or_else(|| entry.function().into());
            functions.insert(Arc::clone(&function));
            chosen.insert(key, function);
        }
        Ok(Self(chosen))
    }
}

/// One of those that were chosen, as it is by now.
fn read(memory: &Memory, key: Key, function: &str) -> Outcome<Entry> {
    let entry = memory.entry_by_id((function, key))?;
    entry.ok_or_else(|| Failure::found(format!("entry {key} was removed meanwhile")))
}

/// A file that wasn't there; removed again unless it is finished.
struct NewFile<'a> {
    path: &'a Path,
    file: BufWriter<File>,
    finished: bool,
}

impl<'a> NewFile<'a> {
    fn create(path: &'a Path) -> Outcome<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        let file = file.map_err(|error| Failure::usage(format!("can't create `{}`: {error}", path.display())))?;
        Ok(Self { path, file: BufWriter::with_capacity(1 << 20, file), finished: false })
    }

    fn finish(mut self) -> Outcome<u64> {
        self.flush()?;
        self.finished = true;
        Ok(self.file.get_ref().metadata()?.len())
    }
}

/// What goes wrong names the file.
impl Write for NewFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|error| cannot(self.path, error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().map_err(|error| cannot(self.path, error))
    }
}

fn cannot(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("can't write `{}`: {error}", path.display()))
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_file(self.path);
        }
    }
}

fn export_npy(memory: &Memory, chosen: &Chosen, path: &Path, out: &mut Out) -> Outcome {
    let Some((key, function)) = chosen.0.first_key_value().filter(|_| chosen.0.len() == 1) else {
        return Err(Failure::usage("`--npy` writes the array of one entry"));
    };
    let entry = read(memory, *key, function)?;
    let arrays = entry.arrays()?;
    let [array] = arrays.as_slice() else {
        let (key, count) = (entry.key(), arrays.len());
        return Err(Failure::found(format!("entry {key} has {count} arrays, expected one")));
    };
    let unfinished = Unfinished::begin();
    let mut file = NewFile::create(path)?;
    file.write_all(&header(array))?;
    let mut written = Ok(());
    array.read(|block| {
        if written.is_ok() && unfinished.check().is_ok() {
            written = file.write_all(block);
        }
    })?;
    written?;
    unfinished.check()?;
    let bytes = file.finish()?;
    match out.is_json() {
        true => out.document(
            json!({ "path": path.display().to_string(), "bytes": bytes, "digest": array.digest().to_string() }),
        )?,
        false => out.line(format!("wrote `{}`, {}, verified", safe(&path.display().to_string()), size(bytes)))?,
    }
    Ok(Exit::Fine)
}

/// The header of a `.npy` of format 1.0.
fn header(array: &ndcache::inspect::StoredArray) -> Vec<u8> {
    let axes: Vec<String> = array.shape().iter().map(u64::to_string).collect();
    let shape = if axes.len() == 1 { format!("({},)", axes[0]) } else { format!("({})", axes.join(", ")) };
    let fortran = if array.order() == ndcache::inspect::Order::F { "True" } else { "False" };
    let quote = if array.descr().starts_with('[') { "" } else { "'" };
    let descr = array.descr();
    let mut dict = format!("{{'descr': {quote}{descr}{quote}, 'fortran_order': {fortran}, 'shape': {shape}, }}");
    // Elements begin at a multiple of 64, and a line's end comes before them.
    let padding = 64 - (10 + dict.len() + 1) % 64;
    dict.push_str(&" ".repeat(padding % 64));
    dict.push('\n');
    let [low, high] = u16::try_from(dict.len()).unwrap_or(u16::MAX).to_le_bytes();
    [b"\x93NUMPY\x01\x00".as_slice(), &[low, high], dict.as_bytes()].concat()
}

fn export_tar(memory: &Memory, args: &Export, chosen: &Chosen, path: &Path, out: &mut Out) -> Outcome {
    let unfinished = Unfinished::begin();
    let mut file = NewFile::create(path)?;
    let mut archive = tar::Builder::new(&mut file);
    let mut codes = BTreeSet::new();
    for (key, function) in &chosen.0 {
        unfinished.check()?;
        pack(memory, args, *key, function, &mut codes, &mut archive)?;
    }
    archive.finish()?;
    drop(archive);
    let bytes = file.finish()?;
    if out.is_json() {
        let mut keys = out.begin_list(json!({ "path": path.display().to_string(), "bytes": bytes }), "keys")?;
        chosen.0.keys().try_for_each(|key| out.list_item(&mut keys, &item_text(&json!(key.to_string()))))?;
        out.end_list(keys)?;
    } else {
        let count = chosen.0.len() as u64;
        out.line(format!("wrote {} to `{}`, {}", entries(count), safe(&path.display().to_string()), size(bytes)))?;
    }
    Ok(Exit::Fine)
}

/// Packs an entry as it is by now: one that is replaced meanwhile is read again.
fn pack(
    memory: &Memory,
    args: &Export,
    key: Key,
    function: &str,
    codes: &mut BTreeSet<String>,
    archive: &mut tar::Builder<impl Write>,
) -> Outcome<()> {
    let mut entry = read(memory, key, function)?;
    for _ in 0..TRIES {
        let opened = entry.record_bytes().and_then(|record| {
            let files = entry.file_names().map(|name| Ok((name.to_owned(), entry.open_file(name)?)));
            Ok((record, files.collect::<ndcache::Result<Vec<_>>>()?))
        });
        // All files are open before the first byte is written: from here on nobody can take them away.
        if let Ok((record, files)) = opened {
            if entry.holds_pickle() && !args.with_pickles {
                return Err(Failure::usage(format!("entry {key} holds an object that Python pickled by now")));
            }
            let folder = folder(&entry)?;
            append(archive, &format!("{folder}/{key}.record"), record.len() as u64, &entry, &*record)?;
            for (name, file) in files {
                append(archive, &format!("{folder}/{name}"), file.metadata()?.len(), &entry, file)?;
            }
            pack_code(&entry, &folder, codes, archive)?;
            return Ok(());
        }
        entry = read(memory, key, function)?;
    }
    entry.record_bytes()?;
    Err(Failure::found(format!("entry {key} has files that can't be opened: see `ndcache verify`")))
}

/// Packs what says of what the entry's code was made, once for all entries of that code.
fn pack_code(
    entry: &Entry,
    folder: &str,
    codes: &mut BTreeSet<String>,
    archive: &mut tar::Builder<impl Write>,
) -> Outcome<()> {
    let function = folder.rsplit_once('/').map_or("", |(function, _)| function);
    let name = format!("{function}/{CODE}/{}.record", entry.code());
    match entry.code_record()? {
        Some(record) if codes.insert(name.clone()) => append(archive, &name, record.len() as u64, entry, &*record),
        _ => Ok(()),
    }
}

/// `f/<folder of the function>/<shard>`
fn folder(entry: &Entry) -> Outcome<String> {
    let parts: Vec<_> =
        entry.path().ancestors().skip(1).take(2).filter_map(|path| path.file_name()?.to_str()).collect();
    match parts.as_slice() {
        [shard, function] => Ok(format!("f/{function}/{shard}")),
        _ => Err(Failure::unreadable("an entry lies in no folder")),
    }
}

fn append(
    archive: &mut tar::Builder<impl Write>,
    name: &str,
    length: u64,
    entry: &Entry,
    bytes: impl std::io::Read,
) -> Outcome<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(length);
    header.set_mode(0o444);
    header.set_entry_type(tar::EntryType::Regular);
    let created = entry.created().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    header.set_mtime(created.as_secs());
    archive
        .append_data(&mut header, name, bytes)
        .map_err(|error| Failure::unreadable(format!("can't pack `{name}` of {}: {error}", rfc3339(entry.created()))))
}
