//! What a call of the backend and the client of HTTP tell each other past `object_store`, which drops what it doesn't
//! know: bodies that aren't held in memory on the one hand, codes of errors and times to wait on the other.

use std::cell::RefCell;
use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use ::object_store::client::{HttpError, HttpErrorKind};
use http::{Method, StatusCode};

use crate::tier::object_store::line::{BodyMaker, StreamedBody};

tokio::task_local! {
    static NOTES: RefCell<Notes>;
}

/// Those of one call.
#[derive(Default)]
pub(super) struct Notes {
    /// The host of the store, if the call reads an object: its answer isn't held in memory.
    reads_from: Option<String>,
    /// What is sent in place of the body that `object_store` has.
    sender: Option<BodyMaker>,
    last: Option<HttpAnswer>,
}

impl Notes {
    pub(super) fn reading(host: &str) -> Self {
        Self { reads_from: Some(host.to_owned()), ..Self::default() }
    }

    pub(super) fn sending(sender: BodyMaker) -> Self {
        Self { sender: Some(sender), ..Self::default() }
    }
}

/// What came of a request.
#[derive(Clone, Debug)]
pub(super) struct HttpAnswer {
    pub(super) host: String,
    pub(super) status: Option<StatusCode>,
    /// The code of the error, such as `NoSuchKey`; empty if there is none.
    pub(super) code: String,
    pub(super) retry_after: Option<Duration>,
    pub(super) transport: Option<Transport>,
}

/// Why there was no answer.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    pub(super) kind: HttpErrorKind,
    pub(super) io: io::ErrorKind,
    pub(super) text: String,
}

/// Runs a call with notes of its own, and returns the last answer that was noted.
pub(super) async fn with<T>(notes: Notes, call: impl Future<Output = T>) -> (T, Option<HttpAnswer>) {
    NOTES
        .scope(RefCell::new(notes), async {
            let done = call.await;
            (done, NOTES.with(|notes| notes.borrow_mut().last.take()))
        })
        .await
}

pub(super) fn note(answer: HttpAnswer) {
    let _ = NOTES.try_with(|notes| notes.borrow_mut().last = Some(answer));
}

pub(super) fn is_for_an_object(host: &str) -> bool {
    NOTES.try_with(|notes| notes.borrow().reads_from.as_deref() == Some(host)).unwrap_or(false)
}

/// The body of a request, from its beginning.
pub(super) fn body(method: &Method) -> Option<StreamedBody> {
    let of = |notes: &RefCell<Notes>| notes.borrow().sender.as_ref().map(BodyMaker::body);
    if method == Method::PUT { NOTES.try_with(of).ok().flatten() } else { None }
}

impl HttpAnswer {
    pub(super) fn success(host: String, status: StatusCode) -> Self {
        Self { host, status: Some(status), code: String::new(), retry_after: None, transport: None }
    }

    pub(super) fn failure(
        host: String,
        status: StatusCode,
        code: Option<&str>,
        said: &[u8],
        retry_after: Option<&str>,
    ) -> Self {
        let code = code.filter(|code| is_code(code)).map_or_else(|| code_of(said), str::to_owned);
        Self { code, retry_after: retry_after.and_then(seconds), ..Self::success(host, status) }
    }

    pub(super) fn none(host: String, error: &HttpError) -> Self {
        let transport = Some(Transport::of(error));
        Self { host, status: None, code: String::new(), retry_after: None, transport }
    }
}

impl Transport {
    pub(super) fn of(error: &HttpError) -> Self {
        Self { kind: error.kind(), io: io_kind(error), text: chain(error) }
    }
}

/// The code that XML or JSON gives: of an answer that may repeat secrets, nothing else is kept.
fn code_of(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let in_xml = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code);
    in_xml.filter(|code| is_code(code)).unwrap_or_default().to_owned()
}

fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The time that a header asks to wait, at most an hour; `None` for a header that gives a date.
fn seconds(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(|seconds: u64| Duration::from_secs(seconds.min(3600)))
}

/// An error and its causes.
pub(super) fn sources<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

fn io_kind(error: &HttpError) -> io::ErrorKind {
    let of = |error: &(dyn StdError + 'static)| error.downcast_ref::<io::Error>().map(io::Error::kind);
    sources(error).filter_map(of).find(|kind| *kind != io::ErrorKind::Other).unwrap_or(io::ErrorKind::Other)
}

/// The last cause, which says what happened.
fn chain(error: &HttpError) -> String {
    sources(error).last().map(ToString::to_string).unwrap_or_default()
}
