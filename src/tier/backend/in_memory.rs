//! A place in the memory of this process.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use crate::threads::fork::ForkMutex;
use crate::tier::{Backend, Body, Deadline, Each, Fault, Get, Got, List, Listed, Put, Stored, Token, When};

/// Objects in the memory of this process, for tests and examples: what one memory puts there, others in the process
/// get.
///
/// Clones share their objects, and so do all backends that [`named`](Self::named) makes with the same name in this
/// process.
///
/// ```
/// use ndcache::Memory;
/// use ndcache::tier::{Access, MemoryBackend, Tier};
/// # let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
///
/// #[ndcache::cache]
/// fn double(x: f64) -> f64 {
///     2.0 * x
/// }
///
/// let place = MemoryBackend::new();
/// let open = |folder| Memory::builder(folder).tier(Tier::new(place.clone()).access(Access::ReadWrite)).open();
/// open(one.path())?.eval(double::call(1.0));
/// open(other.path())?.eval(double::call(1.0));
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone)]
pub struct MemoryBackend {
    name: String,
    objects: SharedObjects,
}

type Objects = BTreeMap<String, (Arc<[u8]>, SystemTime)>;
type SharedObjects = Arc<ForkMutex<Objects>>;

/// The places that have a name, which last as long as the process: one name is one place, as its queue has it.
static NAMED: LazyLock<ForkMutex<BTreeMap<String, SharedObjects>>> = LazyLock::new(ForkMutex::default);

/// How many objects one page of a list has.
const PAGE: usize = 1000;

impl MemoryBackend {
    /// Makes a place without objects, separate from all others.
    #[must_use]
    pub fn new() -> Self {
        Self { name: crate::store::nonce(), objects: Arc::default() }
    }

    /// Returns the place with this name, with the objects that were put there in this process, even if all earlier
    /// handles on it were dropped. Results in a queue for a place with this name are sent there.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndcache::tier::{Backend, Deadline, MemoryBackend, Put};
    ///
    /// let until = Deadline::after(Duration::from_secs(1));
    /// MemoryBackend::named("shared").put(&Put::new("a", until), &b"text".to_vec()).unwrap();
    /// assert_eq!(MemoryBackend::named("shared").names(), ["a"]);
    /// ```
    pub fn named(name: impl Into<String>) -> Self {
        let name = name.into();
        let objects = NAMED.lock().entry(name.clone()).or_default().clone();
        Self { name, objects }
    }

    /// Returns the names of its objects, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.objects.lock().keys().cloned().collect()
    }
}

impl Default for MemoryBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for MemoryBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemoryBackend({})", self.name)
    }
}

impl Backend for MemoryBackend {
    fn place(&self) -> String {
        format!("memory:{}", self.name)
    }

    fn get(&self, get: &Get<'_>, out: &mut dyn io::Write) -> Result<Got, Fault> {
        let (object, modified) = self.objects.lock().get(get.name).cloned().ok_or(Fault::Absent)?;
        out.write_all(get.part_of(&object))?;
        Ok(Got::of(object.len() as u64).modified(modified))
    }

    fn put(&self, put: &Put<'_>, body: &dyn Body) -> Result<Stored, Fault> {
        let bytes = body.to_vec()?;
        let mut objects = self.objects.lock();
        if put.when == When::IfAbsent && objects.contains_key(put.name) {
            return Err(Fault::Exists);
        }
        objects.insert(put.name.to_owned(), (bytes.into(), SystemTime::now()));
        Ok(Stored::default())
    }

    fn delete(&self, name: &str, _: Deadline) -> Result<(), Fault> {
        self.objects.lock().remove(name);
        Ok(())
    }

    fn list(&self, list: &List<'_>, each: Each<'_>) -> Result<Option<Token>, Fault> {
        let below = if list.folder.is_empty() { String::new() } else { format!("{}/", list.folder) };
        let from = match list.after {
            Some(token) => Bound::Excluded(token.as_str().to_owned()),
            None => Bound::Included(below.clone()),
        };
        let objects = self.objects.lock();
        let found = objects.range((from, Bound::Unbounded)).take_while(|(name, _)| name.starts_with(&below));
        let mut page: Vec<_> =
            found.take(PAGE + 1).map(|(name, (bytes, put))| (name.clone(), bytes.len() as u64, *put)).collect();
        drop(objects);
        let more = page.len() > PAGE;
        page.truncate(PAGE);
        for (name, len, put) in &page {
            each(Listed::new(name, *len).modified(*put))?;
        }
        Ok(page.pop().filter(|_| more).map(|(name, ..)| Token::new(name)))
    }

    fn ranges(&self) -> bool {
        true
    }
}
