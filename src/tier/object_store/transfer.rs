//! What is asked of `object_store`, on the thread of the connections.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use ::object_store::list::PaginatedListOptions;
use ::object_store::path::Path;
use ::object_store::{
    Error, GetOptions, GetRange, GetResult, MultipartUpload, ObjectMeta, ObjectStoreExt, PutMode, PutMultipartOptions,
};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::tier::object_store::address::Address;
use crate::tier::object_store::fault::{Judged, judge};
use crate::tier::object_store::http_server as http;
use crate::tier::object_store::line::{FoundObject, Gone, Line};
use crate::tier::object_store::notes::{self, HttpAnswer, Notes};
use crate::tier::object_store::options::Store;
use crate::tier::{Fault, Got, When};

/// What is longer is sent in parts, some at a time: they are in memory.
const PART: u64 = 8 << 20;

/// How many parts are sent at a time.
const PARTS: usize = 4;

/// The most parts of an upload.
const MOST_PARTS: u64 = 10_000;

/// What came of a request that had no success.
pub(super) type Refusal = (Judged, Option<HttpAnswer>);

/// Asks, and judges what came.
pub(super) async fn ask<T>(
    store: &Store,
    notes: Notes,
    asked: impl Future<Output = Result<T, Error>>,
) -> Result<T, Refusal> {
    let (done, answer) = notes::with(notes, asked).await;
    done.map_err(|error| (judge(store, &error, answer.as_ref()), answer))
}

/// An object or a part of it, and what is known of the whole.
pub(super) async fn get(
    store: Store,
    path: Path,
    range: Option<Range<u64>>,
    at_most: u64,
    line: Line,
) -> Result<Got, Fault> {
    match asked_for(&store, &path, range.clone()).await {
        Ok(got) => send(&store, got, 0..u64::MAX, at_most, &line).await,
        // A server that knows no parts, or doesn't say which one it gives, is asked for the whole.
        Err((_, Some(answer))) if range.is_some() && answer.status.is_some_and(|status| status.is_success()) => {
            let got = asked_for(&store, &path, None).await.map_err(|(judged, _)| judged.fault)?;
            send(&store, got, range.unwrap_or(0..u64::MAX), at_most, &line).await
        }
        Err((judged, _)) => Err(conclusive(&store, judged).await),
    }
}

async fn asked_for(store: &Store, path: &Path, range: Option<Range<u64>>) -> Result<GetResult, Refusal> {
    let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
    let notes = Notes::reading(&store.host);
    ask(store, notes, store.objects.get_opts(path, options)).await
}

/// Sends on what lies in a part of the answer.
async fn send(store: &Store, got: GetResult, part: Range<u64>, at_most: u64, line: &Line) -> Result<Got, Fault> {
    let (len, given) = (got.meta.size, got.range.end - got.range.start);
    let modified = SystemTime::from(got.meta.last_modified);
    let part = part.start.min(given)..part.end.min(given);
    let wanted = part.end - part.start;
    if wanted > at_most {
        return Err(Fault::other(format!("the object has {len} bytes, expected at most {at_most}")));
    }
    let (mut body, mut at, mut sent) = (got.into_stream(), 0, 0);
    while sent < wanted {
        let Some(bytes) = body.next().await else { break };
        let bytes = bytes.map_err(|error| judge(store, &error, None).fault)?;
        let within = |offset: u64| offset.saturating_sub(at).min(bytes.len() as u64) as usize;
        let bytes_of_part = bytes.slice(within(part.start)..within(part.end));
        at += bytes.len() as u64;
        sent += bytes_of_part.len() as u64;
        if !bytes_of_part.is_empty() {
            line.bytes(bytes_of_part).await.map_err(Gone::fault)?;
        }
    }
    if sent != wanted {
        return Err(Fault::other(format!("{sent} bytes have come, expected {wanted}")));
    }
    // A server that doesn't say when is said to have put it in 1970.
    let is_known = modified > SystemTime::UNIX_EPOCH;
    Ok(Got { modified: is_known.then_some(modified), ..Got::of(len) })
}

/// "Not found" may mean the bucket: then one object of it is listed, unless that was done.
async fn conclusive(store: &Store, judged: Judged) -> Fault {
    let Some(pages) = &store.pages else { return judged.fault };
    if judged.is_conclusive || store.known.is_there.load(Ordering::Relaxed) {
        return judged.fault;
    }
    let one = PaginatedListOptions { max_keys: Some(1), ..PaginatedListOptions::default() };
    match ask(store, Notes::default(), pages.list_paginated(None, one)).await {
        Err((Judged { fault: Fault::Absent | Fault::NoPlace, .. }, _)) => Fault::NoPlace,
        // A client that may not list hears of objects all the same.
        Ok(_) | Err((Judged { fault: Fault::Denied, .. }, _)) => {
            store.known.is_there.store(true, Ordering::Relaxed);
            judged.fault
        }
        Err((judged, _)) => judged.fault,
    }
}

pub(super) async fn put(store: Store, path: Path, len: u64, when: When, line: Line) -> Result<(), Fault> {
    if let Some(server) = &store.server {
        return http::put(&store, server, &path, len, when, line).await;
    }
    if len > PART {
        return put_in_parts(&store, &path, len, when, line).await;
    }
    let body = read(&line, 0, len).await?;
    let mode = if when == When::IfAbsent { PutMode::Create } else { PutMode::Overwrite };
    match put_whole(&store, &path, body.clone(), mode.clone()).await {
        // The store doesn't know conditions.
        Err(Fault::Unsupported) if mode == PutMode::Create => put_whole(&store, &path, body, PutMode::Overwrite).await,
        put => put,
    }
}

async fn put_whole(store: &Store, path: &Path, body: Bytes, mode: PutMode) -> Result<(), Fault> {
    let put = store.objects.put_opts(path, body.into(), mode.into());
    ask(store, Notes::default(), put).await.map(drop).map_err(|(judged, _)| no_bucket(judged.fault))
}

/// What is not found where something is put is the bucket.
pub(super) fn no_bucket(fault: Fault) -> Fault {
    if matches!(fault, Fault::Absent) { Fault::NoPlace } else { fault }
}

async fn put_in_parts(store: &Store, path: &Path, len: u64, when: When, line: Line) -> Result<(), Fault> {
    if when == When::IfAbsent && ask(store, Notes::default(), store.objects.head(path)).await.is_ok() {
        return Err(Fault::Exists);
    }
    let begun = store.objects.put_multipart_opts(path, PutMultipartOptions::default());
    let begun = ask(store, Notes::default(), begun).await;
    let mut upload = begun.map_err(|(judged, _)| no_bucket(judged.fault))?;
    let sent = send_parts(store, &mut *upload, len, &line).await;
    if sent.is_err() {
        let _ = ask(store, Notes::default(), upload.abort()).await;
    }
    sent
}

async fn send_parts(store: &Store, upload: &mut dyn MultipartUpload, len: u64, line: &Line) -> Result<(), Fault> {
    let part = PART.max(len.div_ceil(MOST_PARTS).next_multiple_of(1 << 20));
    let (mut sending, mut at) = (FuturesUnordered::new(), 0);
    while at < len {
        let bytes = read(line, at, part.min(len - at)).await?;
        at += bytes.len() as u64;
        sending.push(ask(store, Notes::default(), upload.put_part(bytes.into())));
        if sending.len() == PARTS {
            sent(sending.next().await)?;
        }
    }
    while !sending.is_empty() {
        sent(sending.next().await)?;
    }
    drop(sending);
    ask(store, Notes::default(), upload.complete()).await.map(drop).map_err(|(judged, _)| judged.fault)
}

fn sent(part: Option<Result<(), Refusal>>) -> Result<(), Fault> {
    part.unwrap_or(Ok(())).map_err(|(judged, _)| judged.fault)
}

async fn read(line: &Line, at: u64, len: u64) -> Result<Bytes, Fault> {
    let len = usize::try_from(len).map_err(Fault::other)?;
    line.read(at, len).await.map_err(Fault::other)
}

pub(super) async fn delete(store: Store, path: Path) -> Result<(), Fault> {
    match ask(&store, Notes::default(), store.objects.delete(&path)).await {
        Ok(()) => Ok(()),
        Err((judged, _)) => match judged.fault {
            Fault::Absent => Ok(()),
            fault => Err(fault),
        },
    }
}

/// A page of what lies in a folder, and where the next one begins.
pub(super) async fn list(
    store: Store,
    address: Address,
    folder: String,
    token: Option<String>,
    line: Line,
) -> Result<Option<String>, Fault> {
    let Some(pages) = &store.pages else { return http::walk(&store, &address, &folder, &line).await.map(|()| None) };
    let options = PaginatedListOptions { page_token: token, ..PaginatedListOptions::default() };
    let prefix = (!folder.is_empty()).then_some(folder.as_str());
    let page = ask(&store, Notes::default(), pages.list_paginated(prefix, options)).await;
    let page = page.map_err(|(judged, _)| no_bucket(judged.fault))?;
    line.listed(found(&address, &page.result.objects)).map_err(Gone::fault)?;
    Ok(page.page_token)
}

/// Those with names that a tier may have given.
pub(super) fn found(address: &Address, objects: &[ObjectMeta]) -> Vec<FoundObject> {
    let found = |object: &ObjectMeta| {
        let name = address.name(object.location.as_ref()).filter(|name| !name.ends_with(http::UNFINISHED))?;
        address.path(name).ok()?;
        Some(FoundObject { name: name.to_owned(), len: object.size, modified: object.last_modified.into() })
    };
    objects.iter().filter_map(found).collect()
}
