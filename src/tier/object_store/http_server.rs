//! Requests to a server of HTTP beside those that `object_store` makes.
//!
//! An object is sent as it is read, to a name of its own where the server can rename by WebDAV: some servers show what has
//! come of an upload that breaks. A folder is listed without those below it: most servers list no more at a time.

use std::sync::OnceLock;

use ::object_store::client::{HttpClient, HttpRequestBody};
use ::object_store::path::Path;
use ::object_store::{Error, ObjectStoreExt, PutPayload};
use http::{HeaderValue, Method, Request, StatusCode};
use url::Url;

use crate::store::nonce;
use crate::tier::object_store::address::Address;
use crate::tier::object_store::fault::Judged;
use crate::tier::object_store::line::{BodyMaker, Gone, Line};
use crate::tier::object_store::notes::Notes;
use crate::tier::object_store::options::Store;
use crate::tier::object_store::transfer::{Refusal, ask, found, no_bucket};
use crate::tier::{Fault, When};

/// Folders that lie deeper are somebody's mischief.
const DEPTH: usize = 12;

/// The end of a name that is no object's.
pub(super) const UNFINISHED: &str = ".tmp";

/// A server and the client that asks it.
pub(super) struct Server {
    client: HttpClient,
    url: Url,
    /// Whether it renames, once that is known.
    renames: OnceLock<bool>,
}

impl Server {
    pub(super) fn new(client: HttpClient, url: Url) -> Self {
        Self { client, url, renames: OnceLock::new() }
    }

    fn url(&self, path: &Path) -> String {
        let mut url = self.url.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(path.parts());
        }
        url.into()
    }

    async fn send(
        &self,
        method: &str,
        path: &Path,
        headers: &[(&'static str, String)],
    ) -> Result<http::HeaderMap, Error> {
        let refused = |source: Box<dyn std::error::Error + Send + Sync>| Error::Generic { store: "HTTP", source };
        let mut request = Request::builder().method(Method::try_from(method).map_err(|error| refused(error.into()))?);
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::try_from(value).map_err(|error| refused(error.into()))?);
        }
        let request = request.uri(self.url(path)).body(HttpRequestBody::empty());
        let answer = self.client.execute(request.map_err(|error| refused(error.into()))?).await;
        let answer = answer.map_err(|error| refused(error.into()))?;
        match answer.status() {
            status if status.is_success() => Ok(answer.into_parts().0.headers),
            status => Err(refused(status.as_str().into())),
        }
    }

    /// Asked once: a server of WebDAV says so.
    async fn renames(&self, store: &Store) -> Result<bool, Fault> {
        if let Some(renames) = self.renames.get() {
            return Ok(*renames);
        }
        let renames = match ask(store, Notes::default(), self.send("OPTIONS", &Path::default(), &[])).await {
            Ok(headers) => headers.get_all("allow").iter().any(|allowed| {
                let allowed = allowed.to_str().unwrap_or_default();
                allowed.split(',').any(|method| method.trim().eq_ignore_ascii_case("MOVE"))
            }),
            // The server has answered that it doesn't know this request.
            Err((_, Some(answer))) if answer.status.is_some_and(|status| status.is_client_error() || status == 501) => {
                false
            }
            Err((judged, _)) => return Err(judged.fault),
        };
        Ok(*self.renames.get_or_init(|| renames))
    }
}

pub(super) async fn put(
    store: &Store,
    server: &Server,
    path: &Path,
    len: u64,
    when: When,
    line: Line,
) -> Result<(), Fault> {
    if !server.renames(store).await? {
        return judged(send(store, path, len, when == When::IfAbsent, line).await);
    }
    let unfinished = Path::from(format!("{path}.{}{UNFINISHED}", nonce()));
    let sent = async {
        judged(send(store, &unfinished, len, false, line).await)?;
        let overwrites = if when == When::IfAbsent { "F" } else { "T" };
        let headers = [("destination", server.url(path)), ("overwrite", overwrites.to_owned())];
        judged(ask(store, Notes::default(), server.send("MOVE", &unfinished, &headers)).await.map(drop))
    };
    let sent = sent.await;
    if sent.is_err() {
        let _ = ask(store, Notes::default(), store.objects.delete(&unfinished)).await;
    }
    sent
}

/// The body goes past `object_store`, which would have it in memory.
async fn send(store: &Store, path: &Path, len: u64, only_if_absent: bool, line: Line) -> Result<(), Refusal> {
    let put = async |line: Line| {
        let notes = Notes::sending(BodyMaker { line, len, only_if_absent });
        ask(store, notes, store.objects.put(path, PutPayload::new())).await.map(drop)
    };
    match put(line.clone()).await {
        // Somebody else has made one of the folders meanwhile.
        Err((_, Some(answer))) if answer.status.is_some_and(is_of_folders) => put(line).await,
        put => put,
    }
}

fn is_of_folders(status: StatusCode) -> bool {
    matches!(status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::CONFLICT)
}

fn judged(asked: Result<(), Refusal>) -> Result<(), Fault> {
    asked.map_err(|(judged, _)| no_bucket(judged.fault))
}

/// All that lies in a folder and those below it. A folder below that can't be listed is said at the end.
pub(super) async fn walk(store: &Store, address: &Address, folder: &str, line: &Line) -> Result<(), Fault> {
    let (mut folders, mut failed) = (vec![(Path::from(folder.trim_end_matches('/')), 0)], None);
    while let Some((folder, depth)) = folders.pop() {
        let listed = match ask(store, Notes::default(), store.objects.list_with_delimiter(Some(&folder))).await {
            Ok(listed) => listed,
            // One that was removed meanwhile.
            Err((Judged { fault: Fault::Absent, .. }, _)) if depth > 0 => continue,
            Err((Judged { fault: fault @ Fault::Denied, .. }, _)) if depth > 0 => {
                failed = Some(fault);
                continue;
            }
            Err((judged, _)) => return Err(judged.fault),
        };
        line.listed(found(address, &listed.objects)).map_err(Gone::fault)?;
        let below = |path: &Path| path != &folder && path.prefix_matches(&folder);
        if depth < DEPTH {
            folders.extend(listed.common_prefixes.into_iter().filter(below).map(|path| (path, depth + 1)));
        }
    }
    failed.map_or(Ok(()), Err)
}
