//! What a tier has, object by object: one that is foreign or damaged is reported, and the listing goes on.

use std::collections::BTreeMap;

use crate::entry::info::stored_bytes;
use crate::entry::site::{Site, is_shard};
use crate::entry::write::code_parts::FOLDER;
use crate::error::{ErrorKind, Result};
use crate::key::{self, Key};
use crate::record::{RECORD_MAX, Record};
use crate::tier::bulk::{WAIT, failed_to};
use crate::tier::core::Core;
use crate::tier::place::{Answer, Place};
use crate::tier::{Backend, Deadline, Fault, Filter, List, Token, Trouble};

/// After how many objects in a row that can't be read listing is given up: where the place doesn't answer, and where it
/// does.
const AWAY: usize = 3;
const FAILED: usize = 20;

/// How many records of a function are read at most to find its path.
const SAMPLES: usize = 3;

impl Core {
    /// Calls `each` with the records of a tier that `filter` takes, and `bad` for each object that should be one and isn't.
    ///
    /// # Errors
    ///
    /// Returns a fault when nothing of it can be listed.
    pub(super) fn each_record(
        &self,
        place: &Place,
        filter: &Filter,
        each: &mut dyn FnMut(&Site, &Record),
        bad: &mut dyn FnMut(Trouble),
    ) -> Result<(), Fault> {
        let folder = filter.function.as_ref().map_or("f".to_owned(), |function| key::folder(function));
        let records = records(place, &place.object(&folder), bad)?;
        let (mut in_a_row, mut left) = (0, records.len());
        for name in records {
            left -= 1;
            match read(place, &name) {
                Ok(Some(ListedRecord { site, record, bytes })) => {
                    in_a_row = 0;
                    if filter.takes(&record, bytes) {
                        each(&site, &record);
                    }
                }
                Ok(None) => in_a_row = 0,
                Err(trouble) => {
                    in_a_row += usize::from(!is_of_object(&trouble));
                    let most = if trouble.is_of_place() { AWAY } else { FAILED };
                    let cause = format!("{in_a_row} in a row failed; {left} more weren't asked for");
                    let given_up = Trouble { cause, object: None, ..trouble.clone() };
                    bad(trouble);
                    if in_a_row >= most && left > 0 {
                        bad(given_up);
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// The paths of the functions of which each tier has results, with its place.
    pub(crate) fn functions(&self) -> Vec<(String, Result<Vec<String>>)> {
        let of = |place: &Place| match functions_of(place) {
            Ok(functions) => Ok(functions),
            Err(fault) => Err(failed_to("list", place, &fault)),
        };
        self.outbox.places.iter().map(|place| (place.name.clone(), of(place))).collect()
    }
}

/// One record is read of each function, and others if that is none.
fn functions_of(place: &Place) -> Result<Vec<String>, Fault> {
    let mut by_folder: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let records = match records(place, &place.object("f"), &mut |_| {}) {
        Err(Fault::NoPlace) => Vec::new(),
        records => records?,
    };
    for name in records {
        let Some(site) = site_of(&name, &place.object("")) else { continue };
        let names = by_folder.entry(site.folder().to_owned()).or_default();
        if names.len() < SAMPLES {
            names.push(name);
        }
    }
    let path = |names: &Vec<String>| {
        let read = |name: &String| Some(read(place, name).ok()??.record.function.to_string());
        names.iter().find_map(read)
    };
    let mut functions: Vec<_> = by_folder.values().filter_map(path).collect();
    functions.sort_unstable();
    Ok(functions)
}

/// Whether it is the object that is wrong, and not the way to it.
fn is_of_object(trouble: &Trouble) -> bool {
    matches!(trouble.class, "damaged" | "newer" | "foreign")
}

/// A result that a tier has.
struct ListedRecord {
    site: Site,
    record: Box<Record>,
    /// The bytes of all its files, the record among them.
    bytes: u64,
}

/// The result whose record has this name; `None` if it has gone meanwhile.
fn read(place: &Place, name: &str) -> Result<Option<ListedRecord>, Trouble> {
    let wrong = |class, cause: String| Trouble::of_object(&place.name, class, cause).at(name);
    let Some(site) = site_of(name, &place.object("")) else {
        return Err(wrong("foreign", "it isn't named as a result is".to_owned()));
    };
    let bytes = match place.get(name.to_owned(), RECORD_MAX as u64, WAIT) {
        Ok(Answer::Bytes(bytes)) => bytes,
        Ok(Answer::Absent) => return Ok(None),
        Ok(Answer::TooLong) => return Err(wrong("damaged", "its record is too long".to_owned())),
        Err(fault) => return Err(place.trouble(&fault).at(name)),
    };
    let record = Record::decode(&bytes, || "of it".into()).map_err(|error| match error.kind() {
        ErrorKind::Newer => wrong("newer", error.to_string()),
        _ => wrong("damaged", error.to_string()),
    })?;
    if record.key != site.key().digest() || key::folder(&record.function) != site.folder() {
        let function = record.function.escape_debug();
        return Err(wrong("foreign", format!("its record is of `{function}` under key {}", record.key)));
    }
    let bytes = stored_bytes(&record) + bytes.len() as u64;
    Ok(Some(ListedRecord { site, record, bytes }))
}

/// The names of all records of results below a folder of a tier. What ends a listing that has found some is reported, and they are taken.
fn records(place: &Place, folder: &str, bad: &mut dyn FnMut(Trouble)) -> Result<Vec<String>, Fault> {
    let (mut records, mut token): (Vec<String>, Option<Token>) = (Vec::new(), None);
    loop {
        let (until, folder, after) = (Deadline::after(WAIT), folder.to_owned(), token.clone());
        let listed = place.calls.run(until, move |backend: &dyn Backend| {
            let (mut page, mut found, list) = (Vec::new(), 0_usize, List::new(&folder, until));
            let list = if let Some(token) = &after { list.after(token) } else { list };
            let more = backend.list(&list, &mut |listed| {
                found += 1;
                if listed.name.ends_with(".record") && !is_of_code(listed.name) {
                    page.push(listed.name.to_owned());
                }
                Ok(())
            });
            Ok((page, found, more))
        });
        let more = match listed {
            Ok((page, found, more)) => {
                records.extend(page);
                more.map(|more| if found == 0 { None } else { more })
            }
            Err(fault) => Err(fault),
        };
        place.hear(&more);
        match more {
            Ok(more) if more.is_none() || more == token => return Ok(records),
            Ok(more) => token = more,
            Err(Fault::Absent) if records.is_empty() => return Ok(records),
            Err(fault) if records.is_empty() => return Err(fault),
            Err(fault) => {
                let trouble = place.trouble(&fault);
                bad(Trouble { cause: format!("not all could be listed: {}", trouble.cause), ..trouble });
                return Ok(records);
            }
        }
    }
}

/// Whether an object says what a code is made of: no tier is sent one, but a cache folder that is a tier has them.
fn is_of_code(name: &str) -> bool {
    let mut parts = name.rsplit('/').skip(1);
    parts.next() == Some(FOLDER) && parts.nth(1) == Some("f")
}

/// Where the entry is whose record is the object `name`, if it is one.
fn site_of(name: &str, prefix: &str) -> Option<Site> {
    let mut parts = name.strip_prefix(prefix)?.strip_suffix(".record")?.split('/');
    let (f, function, shard, key) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let key: Key = key.parse().ok()?;
    let site = Site::new(format!("{f}/{function}"), key);
    (parts.next().is_none() && f == "f" && is_shard(shard) && site.record() == name[prefix.len()..]).then_some(site)
}
