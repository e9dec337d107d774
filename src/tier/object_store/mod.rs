//! Object stores: S3, Google Cloud Storage, Azure, and servers of HTTP.
//!
//! The protocols are those of the crate `object_store`. It lives on a thread of ours, with connections of the process
//! that has begun it: a forked child makes its own.

// * `address`: what a URL says; `credentials`, `options`: how a store is configured.
// * `client`, `resolve`: how it speaks HTTP; `notes`: what it says of each answer; `fault`: what that means;
//   `http_server`: what it is asked beside.
// * `running`: the thread of the connections; `line`: between it and who calls; `transfer`: what is done on it.

mod address;
mod client;
mod credentials;
mod fault;
mod http_server;
mod line;
mod notes;
mod options;
mod resolve;
mod running;
mod transfer;

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::error::Result;
use crate::threads::fork::ForkMutex;
use crate::tier::{
    Advice, Backend, Body, Deadline, Each, Fault, Folder, Get, Got, List, Listed, MemoryBackend, Put, Stored, Token,
};

pub use credentials::Credentials;

use address::{Address, Protocol};
use line::{Line, Message};
use options::{Store, StoreChoices};
use running::Running;

/// An object store, or a folder in it: S3 and compatible stores, Google Cloud Storage, Azure, or an HTTP server with
/// or without WebDAV.
///
/// | URL | place |
/// | --- | --- |
/// | `s3://bucket/folder` | S3, MinIO, R2, … (`endpoint` says which) |
/// | `gs://bucket/folder` | Google Cloud Storage |
/// | `az://container/folder` | Azure |
/// | `https://server/folder` | a server of HTTP; objects are put by `PUT`, and listed by WebDAV |
/// | `file:///folder` | as [`Folder`] |
/// | `memory:///` | as [`MemoryBackend`] |
///
/// Credentials are read from the environment, `AWS_ACCESS_KEY_ID` and other variables that begin with `AWS_`,
/// `GOOGLE_` or `AZURE_`; or they are those that a cloud gives its machines, or those of
/// [`credentials`](Self::credentials). Files in `~/.aws` aren't read.
///
/// The server isn't contacted before the tier is used. Each process makes its own connections, and the thread for
/// them, when they are needed.
///
/// ```no_run
/// use ndcache::Memory;
/// use ndcache::tier::{ObjectStore, Tier};
///
/// let team = Tier::new(ObjectStore::new("s3://team-cache/main")?);
/// let memory = Memory::builder("cache").tier(team).open()?;
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone)]
pub struct ObjectStore(Service);

#[derive(Clone)]
enum Service {
    Folder(Folder),
    Memory(MemoryBackend),
    Remote(Arc<Remote>),
}

struct Remote {
    address: Address,
    options: StoreChoices,
    place: String,
    /// The host of the server, with its port.
    host: String,
    running: ForkMutex<Option<Arc<Running>>>,
}

impl ObjectStore {
    /// Makes a store from a URL, with the settings of the environment.
    ///
    /// # Errors
    ///
    /// Returns an error when the URL isn't one of those above, holds a password or a signature, or when the
    /// environment lacks a required setting.
    pub fn new(url: impl AsRef<str>) -> Result<Self> {
        Self::with(url, std::iter::empty::<(&str, &str)>())
    }

    /// Makes a store from a URL, with options that take precedence over the environment.
    ///
    /// The names of options are those of the crate `object_store`: `endpoint`, `region`, `access_key_id`,
    /// `secret_access_key`, `account_name`, `service_account`, `skip_signature`, … Of the options of its client there
    /// are `allow_http`, without which nothing is sent unencrypted unless the URL begins with `http:`, and
    /// `proxy_url`. An HTTP server also has `username`, `password` and `bearer_token`.
    ///
    /// ```
    /// use ndcache::tier::{Backend, ObjectStore};
    ///
    /// let options = [("endpoint", "http://127.0.0.1:9000"), ("allow_http", "true")];
    /// let store = ObjectStore::with("s3://bucket/folder", options)?;
    /// assert_eq!(store.place(), "s3://bucket/folder at http://127.0.0.1:9000");
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error in the cases of [`new`](Self::new), or when an option isn't known.
    pub fn with<K: AsRef<str>, V: Into<String>>(
        url: impl AsRef<str>,
        options: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self> {
        let address = Address::parse(url.as_ref())?;
        let pairs = options.into_iter().map(|(key, value)| (key.as_ref().to_owned(), value.into())).collect();
        Self::of(address, StoreChoices { pairs, source: None })
    }

    /// Calls `source` for credentials, instead of reading the environment: when they are first needed, and whenever
    /// the last ones have expired.
    ///
    /// It is called on a thread of its own, and its time is part of the time that a request may take.
    ///
    /// ```no_run
    /// use ndcache::tier::{Credentials, ObjectStore};
    ///
    /// let store = ObjectStore::new("s3://bucket/folder")?.credentials(|| {
    ///     let secret = std::fs::read_to_string("/run/secrets/s3")?;
    ///     Ok(Credentials::keys("AKIA…", secret.trim()))
    /// });
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    #[must_use]
    pub fn credentials<F>(self, source: F) -> Self
    where
        F: Fn() -> Result<Credentials, Box<dyn StdError + Send + Sync>> + Send + Sync + 'static,
    {
        let Service::Remote(remote) = self.0 else { return self };
        let options = StoreChoices { source: Some(Arc::new(source)), ..remote.options.clone() };
        let remote = Remote { options, ..Remote::at(&remote.address, &remote.place, &remote.host) };
        Self(Service::Remote(Arc::new(remote)))
    }

    fn of(address: Address, options: StoreChoices) -> Result<Self> {
        Ok(Self(match address.protocol {
            Protocol::Folder => Service::Folder(Folder::new(format!("/{}", address.prefix))?),
            Protocol::Memory => Service::Memory(MemoryBackend::named(address.prefix.as_ref())),
            _ => {
                let Store { endpoint, host, .. } = options.store(&address)?;
                let remote = Remote::at(&address, &format!("{address} at {endpoint}"), &host);
                Service::Remote(Arc::new(Remote { options, ..remote }))
            }
        }))
    }

    fn as_backend(&self) -> &dyn Backend {
        match &self.0 {
            Service::Folder(folder) => folder,
            Service::Memory(memory) => memory,
            Service::Remote(remote) => &**remote,
        }
    }
}

/// Names the place, and nothing that is secret.
impl fmt::Debug for ObjectStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectStore({})", self.place())
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

impl Backend for ObjectStore {
    fn place(&self) -> String {
        self.as_backend().place()
    }

    fn get(&self, get: &Get<'_>, out: &mut dyn io::Write) -> Result<Got, Fault> {
        self.as_backend().get(get, out)
    }

    fn put(&self, put: &Put<'_>, body: &dyn Body) -> Result<Stored, Fault> {
        self.as_backend().put(put, body)
    }

    fn delete(&self, name: &str, until: Deadline) -> Result<(), Fault> {
        self.as_backend().delete(name, until)
    }

    fn list(&self, list: &List<'_>, each: Each<'_>) -> Result<Option<Token>, Fault> {
        self.as_backend().list(list, each)
    }

    fn advice(&self, fault: &Fault) -> Option<Advice> {
        self.as_backend().advice(fault)
    }

    fn server(&self) -> Option<String> {
        self.as_backend().server()
    }

    fn ranges(&self) -> bool {
        self.as_backend().ranges()
    }
}

impl Remote {
    fn at(address: &Address, place: &str, host: &str) -> Self {
        let options = StoreChoices { pairs: Vec::new(), source: None };
        let (address, place, host) = (address.clone(), place.to_owned(), host.to_owned());
        Self { address, options, place, host, running: ForkMutex::default() }
    }

    /// The connections of this process.
    fn running(&self) -> Result<Arc<Running>, Fault> {
        let mut running = self.running.lock();
        if let Some(running) = &*running
            && running.is_of_this_process()
        {
            return Ok(Arc::clone(running));
        }
        let store = self.options.store(&self.address).map_err(Fault::other)?;
        let begun = Arc::new(Running::begin(store)?);
        *running = Some(Arc::clone(&begun));
        Ok(begun)
    }

    fn call<T, W>(
        &self,
        until: Deadline,
        work: impl FnOnce(Store, Line) -> W,
        serve: &mut dyn FnMut(Message) -> Result<(), Fault>,
    ) -> Result<T, Fault>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        self.running()?.call(until, work, serve)
    }
}

impl Backend for Remote {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn get(&self, get: &Get<'_>, out: &mut dyn io::Write) -> Result<Got, Fault> {
        let (path, range, at_most) = (self.address.path(get.name)?, get.range.clone(), get.at_most);
        if range.as_ref().is_some_and(|range| range.is_empty()) {
            return Ok(Got::default());
        }
        let mut serve = |message| match message {
            Message::Bytes(bytes, room) => {
                out.write_all(&bytes)?;
                drop(room);
                Ok(())
            }
            _ => Ok(()),
        };
        let work = |store, line| transfer::get(store, path, range, at_most, line);
        self.call(get.until, work, &mut serve)
    }

    fn put(&self, put: &Put<'_>, body: &dyn Body) -> Result<Stored, Fault> {
        let (path, len, when) = (self.address.path(put.name)?, body.len(), put.when);
        let mut failed = None;
        let mut serve = |message| {
            let Message::Read { at, len, reply } = message else { return Ok(()) };
            let mut block = vec![0; len];
            // What was begun there is ended there.
            let read = body.read_at(at, &mut block).map(|()| block.into());
            let _ = reply.send(read.map_err(|error| failed.insert(error).kind().into()));
            Ok(())
        };
        let work = |store, line| transfer::put(store, path, len, when, line);
        let put = self.call(put.until, work, &mut serve);
        match failed {
            Some(error) => Err(error.into()),
            None => put.map(|()| Stored::default()),
        }
    }

    fn delete(&self, name: &str, until: Deadline) -> Result<(), Fault> {
        let path = self.address.path(name)?;
        self.call(until, |store, _| transfer::delete(store, path), &mut |_| Ok(()))
    }

    fn list(&self, list: &List<'_>, each: Each<'_>) -> Result<Option<Token>, Fault> {
        let (address, folder) = (self.address.clone(), self.address.folder(list.folder)?);
        let token = list.after.map(|token| token.as_str().to_owned());
        let mut serve = |message| {
            let Message::Listed(found) = message else { return Ok(()) };
            found.iter().try_for_each(|one| each(Listed::new(&one.name, one.len).modified(one.modified)))
        };
        let work = |store, line| transfer::list(store, address, folder, token, line);
        self.call(list.until, work, &mut serve).map(|token| token.map(Token::new))
    }

    fn advice(&self, fault: &Fault) -> Option<Advice> {
        let denied = || self.running.lock().as_ref()?.denied();
        fault::advice(&self.address, fault, denied)
    }

    fn server(&self) -> Option<String> {
        Some(self.host.clone())
    }

    fn ranges(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_on_one_server_say_so() {
        let bucket = |name: &str, port: u16| {
            let options = [("endpoint", format!("http://127.0.0.1:{port}")), ("allow_http", "true".to_owned())];
            ObjectStore::with(format!("s3://{name}/folder"), options).unwrap().server()
        };
        assert_eq!(bucket("main", 9000), Some("127.0.0.1:9000".to_owned()));
        assert_eq!(bucket("main", 9000), bucket("other", 9000));
        assert_ne!(bucket("main", 9000), bucket("main", 9001));
        let of = |url: &str| ObjectStore::new(url).unwrap().server();
        assert_eq!(of("https://user:secret@server.org/main"), of("https://server.org/other"));
        assert_eq!(of("memory:///"), None);
    }
}
