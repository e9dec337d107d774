//! Between the thread that calls the backend and the one of the connections.
//!
//! The caller may be anything, a thread of another runtime too, in which blocking on a future panics: it waits on a
//! channel of the standard library. What it lends, a writer or a body, stays with it: the other side asks for what it
//! needs.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use crate::tier::Fault;
use ::object_store::client::{HttpError, HttpErrorKind};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// What the thread of the connections has for the caller.
pub(super) enum Message {
    /// A part of the object, and the room that it takes.
    Bytes(Bytes, OwnedSemaphorePermit),
    /// A part of the body is wanted.
    Read { at: u64, len: usize, reply: oneshot::Sender<io::Result<Bytes>> },
    /// Some objects of a listing.
    Listed(Vec<FoundObject>),
    /// There is nothing more.
    Done,
}

/// An object of a listing.
pub(super) struct FoundObject {
    pub(super) name: String,
    pub(super) len: u64,
    pub(super) modified: SystemTime,
}

/// The most bytes of an object that wait to be written.
const ROOM: usize = 4 << 20;

/// How many bytes of a body are read at a time.
const BLOCK: usize = 256 << 10;

/// The end that the thread of the connections has.
#[derive(Clone)]
pub(super) struct Line {
    messages: mpsc::Sender<Message>,
    room: Arc<Semaphore>,
}

/// The caller wants no more.
#[derive(Debug)]
pub(super) struct Gone;

impl Gone {
    pub(super) fn fault(self) -> Fault {
        Fault::other(gone())
    }
}

impl Line {
    pub(super) fn new() -> (Self, mpsc::Receiver<Message>) {
        let (messages, receiver) = mpsc::channel();
        (Self { messages, room: Arc::new(Semaphore::new(ROOM)) }, receiver)
    }

    pub(super) async fn bytes(&self, bytes: Bytes) -> Result<(), Gone> {
        let room = u32::try_from(bytes.len().min(ROOM)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(room).await.map_err(|_| Gone)?;
        self.messages.send(Message::Bytes(bytes, room)).map_err(|_| Gone)
    }

    pub(super) fn listed(&self, found: Vec<FoundObject>) -> Result<(), Gone> {
        self.messages.send(Message::Listed(found)).map_err(|_| Gone)
    }

    pub(super) fn done(&self) {
        let _ = self.messages.send(Message::Done);
    }

    pub(super) async fn read(&self, at: u64, len: usize) -> io::Result<Bytes> {
        self.ask(at, len).await.unwrap_or_else(|_| Err(gone()))
    }

    fn ask(&self, at: u64, len: usize) -> oneshot::Receiver<io::Result<Bytes>> {
        let (reply, read) = oneshot::channel();
        let _ = self.messages.send(Message::Read { at, len, reply });
        read
    }
}

/// Makes the body of a request, as often as the request is sent.
pub(super) struct BodyMaker {
    pub(super) line: Line,
    pub(super) len: u64,
    pub(super) only_if_absent: bool,
}

impl BodyMaker {
    pub(super) fn body(&self) -> StreamedBody {
        StreamedBody { line: self.line.clone(), len: self.len, only_if_absent: self.only_if_absent, at: 0, asked: None }
    }
}

/// A body that is read from the caller as it is sent.
pub(super) struct StreamedBody {
    line: Line,
    pub(super) len: u64,
    pub(super) only_if_absent: bool,
    at: u64,
    asked: Option<oneshot::Receiver<io::Result<Bytes>>>,
}

impl HttpBody for StreamedBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if self.at >= self.len {
            return Poll::Ready(None);
        }
        let mut asked = match self.asked.take() {
            Some(asked) => asked,
            None => {
                let len = usize::try_from(self.len - self.at).map_or(BLOCK, |left| left.min(BLOCK));
                self.line.ask(self.at, len)
            }
        };
        match Pin::new(&mut asked).poll(context) {
            Poll::Pending => {
                self.asked = Some(asked);
                Poll::Pending
            }
            Poll::Ready(read) => {
                let read = read.unwrap_or_else(|_| Err(gone()));
                self.at += read.as_ref().map_or(0, |bytes| bytes.len() as u64);
                Poll::Ready(Some(read.map(Frame::data).map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len - self.at)
    }
}

fn gone() -> io::Error {
    io::Error::other("the caller wants no more")
}
