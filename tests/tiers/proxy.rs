//! A place with a fault: between a memory and objects in memory.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ndcache::Memory;
use ndcache::tier::{
    Access, Backend, Body, Deadline, Each, Fault, Get, Got, List, MemoryBackend, Put, Share, Stored, Tier, Token,
};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The connection is cut in the middle, which is an error.
    Cut,
    /// It ends in the middle as if that were all.
    Short,
    /// Nothing comes.
    Stall,
    /// A byte now and then.
    Drip,
    /// One bit is another one.
    Flip,
    /// It takes a while.
    Delay,
    Absent,
    Busy,
    Denied,
    NoPlace,
    Failing,
    Refused,
    /// Another object is sent.
    Redirect,
    /// It never ends.
    Endless,
    /// More bytes are sent than the object has.
    Long,
    /// The reader's refusal of further bytes is ignored.
    Deaf,
    Empty,
    Panic,
    /// Puts are said to be done, and aren't.
    Lost,
    /// Half of an object is put, and said to be done.
    Torn,
}

pub(super) const FLAWS: [Flaw; 20] = [
    Flaw::Cut,
    Flaw::Short,
    Flaw::Stall,
    Flaw::Drip,
    Flaw::Flip,
    Flaw::Delay,
    Flaw::Absent,
    Flaw::Busy,
    Flaw::Denied,
    Flaw::NoPlace,
    Flaw::Failing,
    Flaw::Refused,
    Flaw::Redirect,
    Flaw::Endless,
    Flaw::Long,
    Flaw::Deaf,
    Flaw::Empty,
    Flaw::Panic,
    Flaw::Lost,
    Flaw::Torn,
];

/// Which requests have the flaw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) flaw: Flaw,
    /// `get .record`, say.
    pub(super) request: &'static str,
    pub(super) always: bool,
}

#[derive(Default)]
struct State {
    plan: Option<Plan>,
    requests: BTreeMap<String, u64>,
    names: Vec<String>,
}

#[derive(Clone)]
pub(super) struct Proxy {
    pub(super) objects: MemoryBackend,
    state: Arc<Mutex<State>>,
    pub(super) ranges: bool,
    /// How long each call takes.
    pub(super) latency: Duration,
    /// Bytes a second of each stream.
    pub(super) speed: Option<f64>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proxy")
    }
}

impl Proxy {
    pub(super) fn new() -> Self {
        let (latency, objects) = (Duration::ZERO, MemoryBackend::new());
        Self { objects, state: Arc::default(), ranges: true, latency, speed: None }
    }

    pub(super) fn plan(&self, plan: Option<Plan>) {
        self.state.lock().unwrap().plan = plan;
    }

    /// How many requests of a kind there were, `put .record` say.
    pub(super) fn count(&self, request: &str) -> u64 {
        let state = self.state.lock().unwrap();
        state.requests.iter().filter(|(asked, _)| asked.starts_with(request)).map(|(_, count)| count).sum()
    }

    pub(super) fn forget(&self) {
        let mut state = self.state.lock().unwrap();
        state.requests.clear();
        state.names.clear();
    }

    /// A memory of another machine, that reads and writes.
    pub(super) fn memory(&self, folder: &Path) -> Memory {
        self.open(folder, Access::ReadWrite)
    }

    pub(super) fn open(&self, folder: &Path, access: Access) -> Memory {
        let tier = Tier::new(self.clone()).access(access).share(Share::Any);
        Memory::builder(folder).tier(tier).open().unwrap()
    }

    fn flaw(&self, verb: &str, name: &str) -> Option<Flaw> {
        std::thread::sleep(self.latency);
        let kind = if name == "deny" { "deny" } else { name.rsplit_once('.').map_or("other", |(_, ending)| ending) };
        let request = format!("{verb} .{kind}");
        let mut state = self.state.lock().unwrap();
        *state.requests.entry(request.clone()).or_default() += 1;
        state.names.push(format!("{verb} {name}"));
        let plan = state.plan.filter(|plan| request.starts_with(plan.request))?;
        if !plan.always {
            state.plan = None;
        }
        Some(plan.flaw)
    }

    fn send(&self, bytes: &[u8], out: &mut dyn Write) -> std::io::Result<()> {
        let Some(speed) = self.speed else { return out.write_all(bytes) };
        for block in bytes.chunks(256 << 10) {
            std::thread::sleep(Duration::from_secs_f64(block.len() as f64 / speed));
            out.write_all(block)?;
        }
        Ok(())
    }
}

fn failing(flaw: Flaw) -> Option<Fault> {
    Some(match flaw {
        Flaw::Absent => Fault::Absent,
        Flaw::Busy => Fault::Busy(None),
        Flaw::Denied => Fault::Denied,
        Flaw::NoPlace => Fault::NoPlace,
        Flaw::Failing => Fault::other("internal error 500"),
        Flaw::Refused => Fault::other(std::io::Error::from(std::io::ErrorKind::ConnectionRefused)),
        Flaw::Panic => panic!("on purpose"),
        _ => return None,
    })
}

fn stall(until: Deadline) -> Fault {
    std::thread::sleep(until.left().min(Duration::from_secs(8)) + Duration::from_millis(20));
    Fault::Late
}

impl Backend for Proxy {
    fn place(&self) -> String {
        self.objects.place()
    }

    fn get(&self, get: &Get<'_>, out: &mut dyn Write) -> Result<Got, Fault> {
        let flaw = self.flaw("get", get.name);
        if let Some(fault) = flaw.and_then(failing) {
            return Err(fault);
        }
        let mut object = Vec::new();
        self.objects.get(&Get::new(get.name, u64::MAX, get.until), &mut object)?;
        let len = object.len() as u64;
        let part = get.part_of(&object).to_vec();
        match flaw {
            None | Some(Flaw::Lost | Flaw::Torn) => self.send(&part, out)?,
            Some(Flaw::Cut) => {
                out.write_all(&part[..part.len() / 2])?;
                return Err(Fault::other(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)));
            }
            Some(Flaw::Short) => {
                out.write_all(&part[..part.len() / 2])?;
                return Ok(Got::default());
            }
            Some(Flaw::Stall) => return Err(stall(get.until)),
            Some(Flaw::Drip) => {
                for byte in part.chunks(1) {
                    std::thread::sleep(Duration::from_millis(100));
                    out.write_all(byte)?;
                    if get.until.has_passed() {
                        return Err(Fault::Late);
                    }
                }
            }
            Some(Flaw::Flip) => {
                let mut part = part;
                let middle = part.len() / 2;
                if let Some(byte) = part.get_mut(middle) {
                    *byte ^= 4;
                }
                out.write_all(&part)?;
            }
            Some(Flaw::Delay) => {
                std::thread::sleep(Duration::from_millis(300));
                out.write_all(&part)?;
            }
            Some(Flaw::Redirect) => {
                let other = self.objects.names().into_iter().find(|name| *name != get.name);
                let mut object = Vec::new();
                self.objects.get(&Get::new(&other.ok_or(Fault::Absent)?, u64::MAX, get.until), &mut object)?;
                out.write_all(get.part_of(&object))?;
                return Ok(Got::of(object.len() as u64));
            }
            Some(Flaw::Endless) => loop {
                out.write_all(&[7; 4096])?;
            },
            Some(Flaw::Long) => {
                out.write_all(&part)?;
                out.write_all(b"more")?;
            }
            Some(Flaw::Deaf) => {
                let _ = out.write_all(&part);
                let _ = out.write_all(b"more");
            }
            Some(Flaw::Empty) => return Ok(Got::of(0)),
            Some(_) => unreachable!("an error"),
        }
        Ok(Got::of(len))
    }

    fn put(&self, put: &Put<'_>, body: &dyn Body) -> Result<Stored, Fault> {
        let flaw = self.flaw("put", put.name);
        if let Some(fault) = flaw.and_then(failing) {
            return Err(fault);
        }
        let mut object = body.to_vec()?;
        match flaw {
            Some(Flaw::Lost | Flaw::Empty | Flaw::Redirect) => return Ok(Stored::default()),
            Some(Flaw::Cut | Flaw::Endless) => return Err(Fault::other("cut")),
            Some(Flaw::Stall | Flaw::Drip) => return Err(stall(put.until)),
            Some(Flaw::Torn | Flaw::Short) => object.truncate(object.len() / 2),
            Some(Flaw::Flip) => {
                let middle = object.len() / 2;
                object[middle] ^= 4;
            }
            Some(Flaw::Long | Flaw::Deaf) => object.extend(b"more"),
            Some(Flaw::Delay) => std::thread::sleep(Duration::from_millis(300)),
            _ => {}
        }
        self.objects.put(put, &object)
    }

    fn delete(&self, name: &str, until: Deadline) -> Result<(), Fault> {
        match self.flaw("delete", name).and_then(failing) {
            Some(fault) => Err(fault),
            None => self.objects.delete(name, until),
        }
    }

    fn list(&self, list: &List<'_>, each: Each<'_>) -> Result<Option<Token>, Fault> {
        match self.flaw("list", list.folder).and_then(failing) {
            Some(fault) => Err(fault),
            None => self.objects.list(list, each),
        }
    }

    fn ranges(&self) -> bool {
        self.ranges
    }
}
