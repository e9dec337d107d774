//! Whether a place does what tiers ask of it: one suite, which every backend runs.

use std::fmt::Display;
use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::store::nonce;
use crate::tier::{Backend, Body, Deadline, Fault, Get, List, Put};

/// How long each call may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Checks that a backend behaves as [`Backend`] requires, and returns an error that names the first deviation.
///
/// It puts four objects of up to 5 MiB below a new folder `conformance-…` of the place, and deletes them again. It
/// makes some 85 calls.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// use ndcache::tier::{Folder, conformance};
///
/// conformance(&Folder::new(folder.path())?)?;
/// # Ok::<(), ndcache::Error>(())
/// ```
///
/// # Errors
///
/// Returns an error when the backend deviates, or when the place can't be reached.
pub fn conformance(backend: &dyn Backend) -> Result<()> {
    let folder = format!("conformance-{}", nonce());
    let suite = Suite { backend, folder };
    let checked = suite.run();
    suite.clean();
    checked.map_err(|error| error.at(format_args!("backend `{}`", backend.place().escape_debug())))
}

struct Suite<'a> {
    backend: &'a dyn Backend,
    folder: String,
}

/// The objects of the suite, below its folder: names as tiers give them.
const NAMES: [&str; 4] = [
    "deny",
    "x86_64-unknown-linux-gnu/f/a-0123456789abcdef/0c/0c3e264c767b9f1326f873db8c902583.record",
    "x86_64-unknown-linux-gnu/f/a-0123456789abcdef/0c/0c3e264c767b9f1326f873db8c902583.00112233aabbccdd.npy",
    "f/a_b-0123456789abcdef/0c/0c3e264c767b9f1326f873db8c902583.00112233aabbccdd.npy.gz",
];

impl Suite<'_> {
    fn run(&self) -> Result<()> {
        self.place()?;
        self.nothing()?;
        for (name, len) in NAMES.iter().zip([0, 1, 4097, 5 << 20]) {
            self.there_and_back(name, len)?;
        }
        self.conditions(NAMES[1])?;
        self.parts(NAMES[2])?;
        self.cancelled(NAMES[3])?;
        self.body_that_fails(NAMES[1])?;
        self.listing()?;
        self.whole_or_not_at_all(NAMES[1])?;
        NAMES.iter().try_for_each(|name| self.gone(name))
    }

    fn place(&self) -> Result<()> {
        let place = self.backend.place();
        let is_right = !place.is_empty() && !place.contains(char::is_control) && place == self.backend.place();
        expect(is_right, "`place`", "one line that stays", &place.escape_debug())
    }

    fn nothing(&self) -> Result<()> {
        let absent = self.get(NAMES[1], None);
        expect(
            matches!(absent, Err(Fault::Absent)),
            "`get` of what isn't there",
            "`Fault::Absent`",
            &outcome(&absent),
        )?;
        let deleted = self.delete(NAMES[1]);
        let is_right = matches!(deleted, Ok(()) | Err(Fault::Absent));
        expect(is_right, "`delete` of what isn't there", "no error", &outcome(&deleted))
    }

    /// An object is what was put last.
    fn there_and_back(&self, name: &str, len: usize) -> Result<()> {
        for (seed, len) in [(1, len), (2, len / 2), (3, len + 3), (4, len)] {
            let put = self.put(name, &painted(seed, len));
            expect(put.is_ok(), "`put`", "no error", &outcome(&put))?;
            self.expect_object(name, &painted(seed, len))?;
        }
        Ok(())
    }

    fn conditions(&self, name: &str) -> Result<()> {
        // What `there_and_back` has left.
        let (old, new) = (painted(4, 1), painted(5, 900));
        let put = self.backend.put(&Put::new(&self.of(name), until()).if_absent(), &new);
        // A place that knows no conditions puts it all the same.
        let expected = match put {
            Err(Fault::Exists) => &old,
            Ok(_) => &new,
            put => return expect(false, "`put` with `IfAbsent` of what is there", "`Fault::Exists`", &outcome(&put)),
        };
        self.expect_object(name, expected)?;
        let deleted = self.delete(name);
        expect(deleted.is_ok(), "`delete`", "no error", &outcome(&deleted))?;
        let put = self.backend.put(&Put::new(&self.of(name), until()).if_absent(), &new);
        expect(put.is_ok(), "`put` with `IfAbsent` of what isn't there", "no error", &outcome(&put))?;
        self.expect_object(name, &new)
    }

    fn parts(&self, name: &str) -> Result<()> {
        if !self.backend.ranges() {
            return Ok(());
        }
        let whole = painted(6, 100_000);
        let put = self.put(name, &whole);
        expect(put.is_ok(), "`put`", "no error", &outcome(&put))?;
        for (from, to) in [(0, 1), (0, 100_000), (99_999, 100_000), (4096, 70_001)] {
            let what = format!("`get` of the range {from}..{to}");
            let part = self.get(name, Some((from, to)));
            let is_right = part.as_ref().is_ok_and(|part| *part == whole[from..to]);
            expect(is_right, &what, "these bytes", &outcome(&part))?;
        }
        Ok(())
    }

    /// A reader that takes no more ends the call.
    fn cancelled(&self, name: &str) -> Result<()> {
        let (whole, mut few) = (painted(4, 5 << 20), LimitedWriter { left: 1000 });
        let put = self.put(name, &whole);
        expect(put.is_ok(), "`put`", "no error", &outcome(&put))?;
        let got = self.backend.get(&Get::new(&self.of(name), 1000, until()), &mut few);
        expect(got.is_err(), "`get` for a reader that takes no more", "an error", &outcome(&got))
    }

    /// What can't be read isn't put, and what was there stays.
    fn body_that_fails(&self, name: &str) -> Result<()> {
        let old = painted(7, 4000);
        let put = self.put(name, &old);
        expect(put.is_ok(), "`put`", "no error", &outcome(&put))?;
        let put = self.backend.put(&Put::new(&self.of(name), until()), &Torn);
        expect(put.is_err(), "`put` of a body that can't be read", "an error", &outcome(&put))?;
        self.expect_object(name, &old)
    }

    fn listing(&self) -> Result<()> {
        let (mut found, mut token) = (Vec::new(), None);
        let mut expected: Vec<_> = NAMES.iter().map(|name| self.of(name)).collect();
        for _ in 0..1000 {
            let list = List::new(&self.folder, until());
            let list = if let Some(token) = &token { list.after(token) } else { list };
            let listed = self.backend.list(&list, &mut |listed| {
                found.push((listed.name.to_owned(), listed.len));
                Ok(())
            });
            match listed {
                Err(Fault::Unsupported) => return Ok(()),
                Ok(None) => break,
                Ok(more) => token = more,
                Err(_) => return expect(false, "`list`", "no error", &outcome(&listed)),
            }
        }
        found.sort();
        expected.sort();
        let names: Vec<_> = found.iter().map(|(name, _)| name.clone()).collect();
        expect(names == expected, "`list`", &format!("{expected:?}"), &format!("{names:?}"))?;
        // What `body_that_fails` has left.
        let len = found.iter().find(|(name, _)| *name == self.of(NAMES[1])).map(|(_, len)| *len);
        expect(len == Some(4000), "`list`", "4000 bytes of an object", &format!("{len:?}"))?;
        let stopped = self.backend.list(&List::new(&self.folder, until()), &mut |_| Err(Fault::Late));
        expect(stopped.is_err(), "`list` for a reader that wants no more", "an error", &outcome(&stopped))
    }

    /// While several objects are put under one name, a reader gets one of them.
    fn whole_or_not_at_all(&self, name: &str) -> Result<()> {
        let bodies: Vec<_> = (0..3).map(|seed| painted(20 + seed, 300_000 + usize::from(seed))).collect();
        let put = self.put(name, &bodies[0]);
        expect(put.is_ok(), "`put`", "no error", &outcome(&put))?;
        let seen: Vec<_> = thread::scope(|scope| {
            for body in &bodies {
                scope.spawn(|| (0..4).for_each(|_| drop(self.put(name, body))));
            }
            (0..8).map(|_| self.get(name, None)).collect()
        });
        seen.iter().chain([&self.get(name, None)]).try_for_each(|seen| {
            let is_right = seen.as_ref().is_ok_and(|seen| bodies.contains(seen));
            expect(is_right, "`get` while others put", "one of the objects, whole", &outcome(seen))
        })
    }

    fn gone(&self, name: &str) -> Result<()> {
        let deleted = self.delete(name);
        expect(deleted.is_ok(), "`delete`", "no error", &outcome(&deleted))?;
        let absent = self.get(name, None);
        expect(matches!(absent, Err(Fault::Absent)), "`get` of what was deleted", "`Fault::Absent`", &outcome(&absent))
    }

    fn clean(&self) {
        NAMES.iter().for_each(|name| drop(self.delete(name)));
    }

    fn of(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    fn get(&self, name: &str, range: Option<(usize, usize)>) -> Result<Vec<u8>, Fault> {
        let (name, mut out) = (self.of(name), Vec::new());
        let get = Get::new(&name, u64::MAX, until());
        let get = match range {
            Some((from, to)) => get.range(from as u64..to as u64),
            None => get,
        };
        let got = self.backend.get(&get, &mut out)?;
        match got.len {
            Some(len) if range.is_none() && len != out.len() as u64 => {
                Err(Fault::other(format!("{} bytes of an object that has {len}", out.len())))
            }
            _ => Ok(out),
        }
    }

    fn put(&self, name: &str, body: &dyn Body) -> Result<(), Fault> {
        self.backend.put(&Put::new(&self.of(name), until()), body).map(drop)
    }

    fn delete(&self, name: &str) -> Result<(), Fault> {
        self.backend.delete(&self.of(name), until())
    }

    fn expect_object(&self, name: &str, expected: &[u8]) -> Result<()> {
        let got = self.get(name, None);
        let is_right = got.as_ref().is_ok_and(|got| got == expected);
        expect(is_right, "`get`", &format!("the {} bytes that were put last", expected.len()), &outcome(&got))
    }
}

/// A writer that takes no more than `left` bytes.
struct LimitedWriter {
    left: usize,
}

impl Write for LimitedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match bytes.len().min(self.left) {
            0 if !bytes.is_empty() => Err(io::Error::other("the reader takes no more")),
            taken => {
                self.left -= taken;
                Ok(taken)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A body that can't be read to its end.
struct Torn;

impl Body for Torn {
    fn len(&self) -> u64 {
        3 << 20
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if offset + buffer.len() as u64 > 2 << 20 {
            return Err(io::Error::other("the body can't be read"));
        }
        buffer.fill(1);
        Ok(())
    }
}

fn until() -> Deadline {
    Deadline::after(PATIENCE)
}

/// Bytes with a period of 251. No block's length is a multiple of that, so that blocks in each other's place are seen.
fn painted(seed: u8, len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8 ^ seed).collect()
}

fn outcome<T>(found: &Result<T, Fault>) -> String {
    match found {
        Ok(_) => "something else, or no error".to_owned(),
        Err(fault) => format!("{}: {fault}", fault.class()),
    }
}

fn expect(is_right: bool, what: &str, expected: &str, found: &dyn Display) -> Result<()> {
    if is_right {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Other, format!("{what}: expected {expected}, found {found}")))
}
