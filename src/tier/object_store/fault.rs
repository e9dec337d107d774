//! What an answer means.

use std::io;

use ::object_store::client::{HttpError, HttpErrorKind};
use http::StatusCode;

use crate::tier::object_store::address::{Address, Protocol};
use crate::tier::object_store::credentials::RefusedCredentials;
use crate::tier::object_store::notes::{HttpAnswer, Transport, sources};
use crate::tier::object_store::options::Store;
use crate::tier::trouble::NO_CONNECTION;
use crate::tier::{Advice, Fault};

/// A fault, and whether it is certain which one it is.
pub(super) struct Judged {
    pub(super) fault: Fault,
    /// False of a "not found" that may mean the object or the bucket: some servers say the same of both.
    pub(super) is_conclusive: bool,
}

impl Judged {
    fn surely(fault: Fault) -> Self {
        Self { fault, is_conclusive: true }
    }
}

/// The fault that an error of `object_store` is, by the last answer: its own texts may hold what servers repeat.
pub(super) fn judge(store: &Store, error: &::object_store::Error, answer: Option<&HttpAnswer>) -> Judged {
    if let Some(refused) = sources(error).find_map(|error| error.downcast_ref::<RefusedCredentials>()) {
        return Judged::surely(denied(store, &refused.to_string()));
    }
    let of_store = answer.is_none_or(|answer| is_of(&answer.host, &store.host));
    let broken = answer.and_then(|answer| answer.transport.clone()).or_else(|| transport(error));
    match (broken, answer.and_then(|answer| Some((answer, answer.status?)))) {
        (Some(_), _) if !of_store => Judged::surely(denied(store, "there are no credentials, and none are given here")),
        (Some(broken), _) => Judged::surely(unanswered(store, &broken)),
        (None, Some((_, status))) if !of_store && !status.is_success() => {
            Judged::surely(denied(store, "the server that gives credentials gives none"))
        }
        (None, Some((_, status))) if status.is_success() => Judged::surely(within(store, error)),
        (None, Some((answer, status))) => answered(store, status, answer),
        (None, None) => Judged::surely(local(error)),
    }
}

fn answered(store: &Store, status: StatusCode, answer: &HttpAnswer) -> Judged {
    let code = answer.code.as_str();
    let said = || match code {
        "" => format!("HTTP {}", status.as_u16()),
        code => format!("`{code}`, HTTP {}", status.as_u16()),
    };
    let other = |text: &str| Fault::other(format!("`{}` {text} ({})", store.endpoint, said()));
    Judged::surely(match (status.as_u16(), code) {
        (404 | 410, "NoSuchKey" | "BlobNotFound") => Fault::Absent,
        (404, "NoSuchBucket" | "ContainerNotFound" | "ContainerBeingDeleted") => Fault::NoPlace,
        (404 | 410, _) => return Judged { fault: Fault::Absent, is_conclusive: false },
        (_, "SlowDown" | "ServerBusy" | "RequestLimitExceeded" | "Throttling" | "ThrottlingException") => busy(answer),
        (409, "ConditionalRequestConflict" | "OperationAborted") => busy(answer),
        (429 | 502..=504, _) => busy(answer),
        (412, _) | (409, "BlobAlreadyExists") => Fault::Exists,
        (_, "RequestTimeTooSkewed" | "RequestExpired") => other("finds the clock of this machine wrong"),
        (300..=399, _) | (400, "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException") => {
            other("sends to another place: the region or the endpoint is wrong")
        }
        (401 | 403, _) | (400, "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired") => denied(store, &said()),
        (408, _) | (400, "RequestTimeout") => Fault::Late,
        (405 | 501, _) => Fault::Unsupported,
        _ => other("fails"),
    })
}

/// The fault in an answer whose status is a success: one of the several requests that were sent in one has failed, or the
/// body can't be read.
fn within(store: &Store, error: &::object_store::Error) -> Fault {
    match error {
        ::object_store::Error::NotFound { .. } => Fault::Absent,
        ::object_store::Error::AlreadyExists { .. } | ::object_store::Error::Precondition { .. } => Fault::Exists,
        ::object_store::Error::PermissionDenied { .. } | ::object_store::Error::Unauthenticated { .. } => {
            denied(store, "a request within another is refused")
        }
        _ => Fault::other(format!("`{}` gives an answer that isn't proper", store.endpoint)),
    }
}

fn busy(answer: &HttpAnswer) -> Fault {
    Fault::Busy(answer.retry_after)
}

fn unanswered(store: &Store, broken: &Transport) -> Fault {
    let io =
        |text: &str| Fault::other(io::Error::new(broken.io, format!("{text} `{}`: {}", store.endpoint, broken.text)));
    match broken.kind {
        HttpErrorKind::Timeout => Fault::Late,
        HttpErrorKind::Connect => io(NO_CONNECTION),
        HttpErrorKind::Decode => io("can't read what is answered by"),
        _ => io("the connection broke to"),
    }
}

/// An error from before anything was asked.
fn local(error: &::object_store::Error) -> Fault {
    match error {
        ::object_store::Error::NotImplemented { .. } | ::object_store::Error::NotSupported { .. } => Fault::Unsupported,
        ::object_store::Error::NotFound { .. } => Fault::Absent,
        _ => Fault::other("the request can't be made"),
    }
}

/// The class has no room for the cause, which is kept for `Remote::advice`.
fn denied(store: &Store, cause: &str) -> Fault {
    tracing::debug!(endpoint = store.endpoint, "the object store denies access: {cause}");
    *store.known.denied.lock() = Some(cause.to_owned());
    Fault::Denied
}

/// A fault of the store at this address, in words.
pub(super) fn advice(address: &Address, fault: &Fault, denied: impl Fn() -> Option<String>) -> Option<Advice> {
    let of = |cause: Option<String>, remedy: &str| Some(Advice { cause, remedy: Some(remedy.to_owned()) });
    match fault {
        Fault::Denied => of(denied(), credentials(address.protocol)),
        Fault::NoPlace => {
            let what = match address.protocol {
                Protocol::Azure => "container",
                Protocol::Http => "folder",
                _ => "bucket",
            };
            of(Some(format!("there is no {what} of `{address}`")), "make it, or correct its name in the URL")
        }
        fault if fault.is_unreachable() => of(None, endpoint(address.protocol)),
        Fault::Late => of(None, endpoint(address.protocol)),
        _ => None,
    }
}

fn credentials(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Azure => {
            "check `AZURE_STORAGE_ACCOUNT_NAME` and `AZURE_STORAGE_ACCOUNT_KEY`, or what stands for them"
        }
        Protocol::Google => "check `GOOGLE_SERVICE_ACCOUNT`, or what stands for it, and what that account may do",
        Protocol::Http => "check the user and the password in the URL, and what they may do there",
        _ => {
            "check `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or what stands for them, and that they may \
             `s3:GetObject` and `s3:ListBucket`, and `s3:PutObject` and `s3:DeleteObject` to write"
        }
    }
}

fn endpoint(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::S3 => {
            "see whether `AWS_ENDPOINT_URL_S3` and `AWS_REGION` are right, its server runs, and can be reached from here \
             (`HTTPS_PROXY`)"
        }
        _ => "see whether its name and port are right, its server runs, and can be reached from here (`HTTPS_PROXY`)",
    }
}

/// Whether a host is the store's, with the bucket in front or without.
fn is_of(host: &str, of_store: &str) -> bool {
    host == of_store || host.strip_suffix(of_store).is_some_and(|bucket| bucket.ends_with('.'))
}

fn transport(error: &::object_store::Error) -> Option<Transport> {
    sources(error).find_map(|error| error.downcast_ref::<HttpError>()).map(Transport::of)
}
