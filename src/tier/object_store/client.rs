//! The client of HTTP: what `object_store` asks it, and what it notes of each answer.
//!
//! What an answer that is no success says is read here, up to a limit, and only its code goes on: some servers repeat the
//! request in it, with the secrets of its headers.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::object_store::ClientOptions;
use ::object_store::client::{
    ClientConfigKey, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};
use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, IF_NONE_MATCH, LOCATION, RETRY_AFTER};
use http_body_util::{BodyExt, Limited};
use reqwest::redirect::{Attempt, Policy};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::planted;
use crate::tier::object_store::credentials::Fetcher;
use crate::tier::object_store::notes::{self, HttpAnswer};
use crate::tier::object_store::resolve::Resolver;

/// A server that isn't there by then isn't waited for.
const CONNECT: Duration = Duration::from_millis(2500);

/// What an answer without success may say.
const ERROR: usize = 64 << 10;

/// What an answer that isn't an object may have in all: a page of a listing has about 1 MiB.
const ANSWER: usize = 64 << 20;

/// The most redirections of an HTTP server that are followed.
const REDIRECTIONS: usize = 3;

/// Makes the clients of a store.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    pub(super) follows: bool,
    pub(super) credentials: Option<Arc<Fetcher>>,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> ::object_store::Result<HttpClient> {
        let said = |key| options.get_config_value(&key);
        Ok(HttpClient::new(Client {
            made: OnceLock::new(),
            connector: self.clone(),
            https_only: said(ClientConfigKey::AllowHttp).as_deref() != Some("true"),
            // A limit of 1 s is that for the servers that give a cloud's machines credentials: elsewhere there are none.
            wait: if said(ClientConfigKey::ConnectTimeout).as_deref() == Some("1s") { CONNECT / 2 } else { CONNECT },
            proxy: said(ClientConfigKey::ProxyUrl),
        }))
    }
}

/// A client that is there already.
#[derive(Debug)]
pub(super) struct SharedClient(pub(super) HttpClient);

impl HttpConnector for SharedClient {
    fn connect(&self, _: &ClientOptions) -> ::object_store::Result<HttpClient> {
        Ok(self.0.clone())
    }
}

/// A client that is made when it is first used, on the thread of the connections.
struct Client {
    made: OnceLock<Result<reqwest::Client, String>>,
    connector: Connector,
    https_only: bool,
    wait: Duration,
    proxy: Option<String>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    fn made(&self) -> Result<&reqwest::Client, HttpError> {
        let made = self.made.get_or_init(|| self.make().map_err(|error| error.to_string()));
        made.as_ref().map_err(|error| failed(HttpErrorKind::Unknown, error.as_str()))
    }

    fn make(&self) -> Result<reqwest::Client, Box<dyn std::error::Error + Send + Sync>> {
        // With a provider of its own rather than the process's, which is the program's to choose.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("ndcache/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls.with_platform_verifier()?.with_no_client_auth())
            .https_only(self.https_only)
            .connect_timeout(self.wait)
            .tcp_nodelay(true)
            .dns_resolver(Arc::new(Resolver))
            .redirect(if self.connector.follows { Policy::custom(redirect) } else { Policy::none() })
            .retry(reqwest::retry::never());
        if let Some(proxy) = &self.proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy).map_err(|_| "`proxy_url` isn't the URL of a proxy")?);
        }
        Ok(builder.build().map_err(reqwest::Error::without_url)?)
    }

    async fn request(&self, request: HttpRequest) -> Result<reqwest::RequestBuilder, HttpError> {
        let client = self.made()?;
        let (mut parts, body) = request.into_parts();
        let url = parts.uri.to_string().parse::<url::Url>();
        let url = url.map_err(|_| failed(HttpErrorKind::Unknown, "the request has no proper URL"))?;
        let sent = notes::body(&parts.method);
        if let Some(sent) = &sent {
            parts.headers.insert(CONTENT_LENGTH, sent.len.into());
            if sent.only_if_absent {
                parts.headers.insert(IF_NONE_MATCH, http::HeaderValue::from_static("*"));
            }
        }
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        *request.body_mut() = Some(match (sent, body.as_bytes()) {
            (Some(sent), _) => reqwest::Body::wrap(sent),
            (None, Some(bytes)) => bytes.clone().into(),
            (None, None) => reqwest::Body::wrap(body),
        });
        let request = reqwest::RequestBuilder::from_parts(client.clone(), request);
        let Some(credentials) = &self.connector.credentials else { return Ok(request) };
        let authorized = match credentials.get().await {
            Ok(credentials) => credentials.authorize(request),
            Err(refused) => Err(refused),
        };
        authorized.map_err(|refused| HttpError::new(HttpErrorKind::Unknown, refused))
    }
}

#[async_trait]
impl HttpService for Client {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let host = host_of(request.uri());
        let is_object = request.method() == http::Method::GET && notes::is_for_an_object(&host);
        let sent = match self.request(request).await {
            Ok(request) => request.send().await.map_err(transport),
            Err(error) => Err(error),
        };
        let (mut parts, body) = match sent {
            Ok(answer) => http::Response::<reqwest::Body>::from(answer).into_parts(),
            Err(error) => {
                notes::note(HttpAnswer::none(host, &error));
                return Err(error);
            }
        };
        let body = body.map_err(transport);
        if parts.status.is_success() {
            notes::note(HttpAnswer::success(host, parts.status));
            let body = if is_object { HttpResponseBody::new(body) } else { limited(body) };
            return Ok(HttpResponse::from_parts(parts, body));
        }
        let said = Limited::new(body, ERROR).collect().await.map(|said| said.to_bytes()).unwrap_or_default();
        if planted::is("secret in a log") {
            tracing::debug!(said = %String::from_utf8_lossy(&said), "an object store refuses");
        }
        let retry_after = parts.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let in_header = parts.headers.get("x-ms-error-code").and_then(|value| value.to_str().ok());
        let answer = HttpAnswer::failure(host, parts.status, in_header, &said, retry_after);
        parts.headers.remove(LOCATION);
        let code = answer.code.clone();
        notes::note(answer);
        Ok(HttpResponse::from_parts(parts, code.into()))
    }
}

/// A host with its port, unless that is the one of its scheme.
fn host_of(uri: &http::Uri) -> String {
    let host = uri.host().unwrap_or_default();
    match (uri.port_u16(), uri.scheme_str()) {
        (None, _) | (Some(443), Some("https")) | (Some(80), Some("http")) => host.to_owned(),
        (Some(port), _) => format!("{host}:{port}"),
    }
}

/// Limits an answer that is read as a whole by a reader that trusts its length.
fn limited<B>(body: B) -> HttpResponseBody
where
    B: http_body::Body<Data = Bytes, Error = HttpError> + Send + Sync + 'static,
{
    let too_long = |error: Box<dyn std::error::Error + Send + Sync>| match error.downcast::<HttpError>() {
        Ok(error) => *error,
        Err(_) => failed(HttpErrorKind::Decode, "the answer is longer than any that is proper"),
    };
    HttpResponseBody::new(Limited::new(body, ANSWER).map_err(too_long))
}

/// Follows an HTTP server to another place, but never out of an encrypted connection.
fn redirect(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let was_encrypted = attempt.previous().iter().any(|url| url.scheme() == "https");
    if attempt.previous().len() > REDIRECTIONS || (was_encrypted && attempt.url().scheme() != "https") {
        return attempt.stop();
    }
    attempt.follow()
}

/// An error of the connection, without the URL.
fn transport(error: reqwest::Error) -> HttpError {
    let kind = match &error {
        error if error.is_timeout() => HttpErrorKind::Timeout,
        error if error.is_connect() => HttpErrorKind::Connect,
        _ => HttpErrorKind::Interrupted,
    };
    HttpError::new(kind, error.without_url())
}

#[derive(Debug)]
struct Failed(String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

fn failed(kind: HttpErrorKind, text: &str) -> HttpError {
    HttpError::new(kind, Failed(text.to_owned()))
}
