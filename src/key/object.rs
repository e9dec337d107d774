//! Which build a function belongs to: the build id of the loaded object that holds it, or that file's digest.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

use object::elf::{FileHeader64, NT_GNU_BUILD_ID};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use object::{Endianness, Object as _, ReadCache};

use crate::digest::Digest;
use crate::error::{Error, Result};

/// The build id of the object that holds the function at `address`, found once per object.
///
/// # Errors
///
/// Returns an error when the object's file can't be found, or has been replaced since it was loaded.
pub(super) fn build_id(address: usize) -> Result<&'static [u8]> {
    static KNOWN: LazyLock<Mutex<HashMap<PathBuf, &'static [u8]>>> = LazyLock::new(Mutex::default);
    let path = holder(address)?;
    // Never held for long, and never waited for: a forked child doesn't have the thread that holds it.
    if let Some(id) = KNOWN.try_lock().ok().and_then(|known| known.get(&path).copied()) {
        return Ok(id);
    }
    let id: &'static [u8] = read_id(&path)?.leak();
    Ok(KNOWN.try_lock().map_or(id, |mut known| *known.entry(path).or_insert(id)))
}

fn read_id(path: &Path) -> Result<Vec<u8>> {
    let fault = |error| Error::io("read the object", path, error);
    let pages = ReadCache::new(fs::File::open(path).map_err(fault)?);
    if let Some(id) = elf_build_id(&pages) {
        return Ok(id);
    }
    let file = object::File::parse(&pages).ok();
    let build_id = file.as_ref().and_then(|file| file.build_id().ok().flatten());
    let uuid = file.as_ref().and_then(|file| file.mach_uuid().ok().flatten());
    Ok(match (build_id, uuid) {
        (Some(id), _) if !id.is_empty() => id.to_vec(),
        (_, Some(uuid)) => uuid.to_vec(),
        _ => Digest::of(&fs::read(path).map_err(fault)?).to_bytes().to_vec(),
    })
}

/// Reads the program headers, which are a page of a file whose tables of symbols may take a hundred megabytes.
fn elf_build_id(pages: &ReadCache<fs::File>) -> Option<Vec<u8>> {
    let header = FileHeader64::<Endianness>::parse(pages).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, pages).ok()?;
    segments.iter().find_map(|segment| {
        let mut notes = segment.notes(endian, pages).ok()??;
        while let Some(note) = notes.next().ok()? {
            if note.name() == b"GNU" && note.n_type(endian) == NT_GNU_BUILD_ID && !note.desc().is_empty() {
                return Some(note.desc().to_vec());
            }
        }
        None
    })
}

/// The file that is mapped at `address`, by `/proc/self/maps`.
#[cfg(target_os = "linux")]
fn holder(address: usize) -> Result<PathBuf> {
    let maps = Path::new("/proc/self/maps");
    let text = fs::read_to_string(maps).map_err(|error| Error::io("read", maps, error))?;
    let line = text.lines().find(|line| covers(line, address));
    let path = line.and_then(|line| line.find('/').map(|start| &line[start..]));
    match path {
        Some(path) if !path.ends_with(" (deleted)") => Ok(PathBuf::from(path)),
        Some(path) => Err(Error::unsupported(format!("the object `{path}` was replaced after it was loaded"))),
        None => Err(Error::unsupported("no loaded object holds the function")),
    }
}

#[cfg(target_os = "linux")]
fn covers(line: &str, address: usize) -> bool {
    let range = line.split(' ').next().and_then(|range| range.split_once('-'));
    range.is_some_and(|(start, end)| {
        let bound = |text| usize::from_str_radix(text, 16).ok();
        bound(start).is_some_and(|start| start <= address) && bound(end).is_some_and(|end| address < end)
    })
}

/// Without a map of the process, the executable stands for the object. A function in a library that was loaded at run
/// time can't be told from one in the executable, and isn't refused: programs on macOS link statically.
#[cfg(not(target_os = "linux"))]
fn holder(_address: usize) -> Result<PathBuf> {
    let path = Path::new("the executable");
    std::env::current_exe().map_err(|error| Error::io("find", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_in_the_running_executable() {
        let path = holder(read_id as *const () as usize).unwrap();
        let pages = ReadCache::new(fs::File::open(&path).unwrap());
        let whole = fs::read(&path).unwrap();
        let id = object::File::parse(&*whole).unwrap().build_id().unwrap().map(<[u8]>::to_vec);
        assert_eq!(elf_build_id(&pages), id, "as the sections say");
        assert_eq!(path.canonicalize().unwrap(), std::env::current_exe().unwrap().canonicalize().unwrap());
    }

    #[test]
    fn a_file_without_a_build_id_counts_by_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("object");
        fs::write(&path, b"not an object").unwrap();
        let first = read_id(&path).unwrap();
        fs::write(&path, b"another").unwrap();
        assert_ne!(read_id(&path).unwrap(), first);
    }
}
