//! The thread of the connections.

use std::mem;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::threads::fork::Process;
use crate::threads::lock;
use crate::tier::object_store::line::{Line, Message};
use crate::tier::object_store::options::Store;
use crate::tier::{Deadline, Fault};

/// A store with its connections, and the thread that has them, in the process that has begun it.
pub(super) struct Running {
    process: Process,
    parts: Option<RunningStore>,
}

struct RunningStore {
    store: Store,
    runtime: Handle,
    /// The thread ends when this is dropped.
    _stop: oneshot::Sender<()>,
}

impl Running {
    pub(super) fn begin(store: Store) -> Result<Self, Fault> {
        let (stop, stopped) = oneshot::channel();
        let (reply, replied) = mpsc::sync_channel(1);
        let run = move || match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => {
                let _ = reply.send(Ok(runtime.handle().clone()));
                drop(runtime.block_on(stopped));
                runtime.shutdown_background();
            }
            Err(error) => drop(reply.send(Err(error))),
        };
        thread::Builder::new().name("ndcache-remote".to_owned()).spawn(run).map_err(no_thread)?;
        let runtime = replied.recv().map_err(|_| Fault::other("the thread of the connections has panicked"))?;
        let parts = RunningStore { store, runtime: runtime.map_err(no_thread)?, _stop: stop };
        Ok(Self { process: Process::current(), parts: Some(parts) })
    }

    pub(super) fn is_of_this_process(&self) -> bool {
        self.process.is_current()
    }

    /// Why the store denied access last, if it did.
    pub(super) fn denied(&self) -> Option<String> {
        self.parts.as_ref()?.store.known.denied.lock().clone()
    }

    /// Works on the thread of the connections until the deadline, and serves here what it asks for.
    pub(super) fn call<T, W>(
        &self,
        until: Deadline,
        work: impl FnOnce(Store, Line) -> W,
        serve: &mut dyn FnMut(Message) -> Result<(), Fault>,
    ) -> Result<T, Fault>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let Some(parts) = &self.parts else { return Err(Fault::other("the connections are closed")) };
        let (line, messages) = Line::new();
        let (result, done) = (Arc::new(Mutex::new(None)), line.clone());
        let work = work(parts.store.clone(), line);
        let kept = Arc::clone(&result);
        let work = async move {
            let came = work.await;
            *lock(&kept) = Some(came);
            done.done();
        };
        let _aborted = Aborted(parts.runtime.spawn(work).abort_handle());
        loop {
            match messages.recv_timeout(until.left()) {
                Ok(Message::Done) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(message) => serve(message)?,
                Err(RecvTimeoutError::Timeout) => return Err(Fault::Late),
            }
        }
        let result = lock(&result).take();
        result.unwrap_or_else(|| Err(Fault::other("the thread of the connections has panicked")))
    }
}

impl Drop for Running {
    /// A forked child leaves the connections of its parent alone.
    fn drop(&mut self) {
        if !self.is_of_this_process() {
            mem::forget(self.parts.take());
        }
    }
}

/// Ends the work of a caller who waits no more.
struct Aborted(AbortHandle);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn no_thread(error: std::io::Error) -> Fault {
    Fault::other(format!("there is no thread for the connections: {error}"))
}
