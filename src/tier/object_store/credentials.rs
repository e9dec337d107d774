//! Credentials that the program gives, in place of those of the environment.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use ::object_store::CredentialProvider;
use ::object_store::aws::AwsCredential;
use ::object_store::azure::{AzureAccessKey, AzureCredential};
use ::object_store::gcp::GcpCredential;
use async_trait::async_trait;
use tokio::sync::{Mutex, oneshot};

/// What an object store is shown so that it answers; for [`ObjectStore::credentials`](crate::tier::ObjectStore::credentials).
///
/// Its secrets stand in no message, and `Debug` doesn't show them.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use ndcache::tier::Credentials;
///
/// let keys = Credentials::keys("AKIA…", "a secret").session_token("a token");
/// let keys = keys.expires(SystemTime::now() + Duration::from_secs(3600));
/// assert!(!format!("{keys:?}").contains("secret"));
/// ```
#[derive(Clone)]
pub struct Credentials {
    kind: CredentialKind,
    expires: Option<SystemTime>,
}

#[derive(Clone)]
enum CredentialKind {
    Keys { id: String, secret: String, token: Option<String> },
    Bearer(String),
    Basic { user: String, password: String },
    AccountKey(String),
    Sas(String),
}

/// After how long credentials that have no end are asked for again.
const LASTING: Duration = Duration::from_secs(300);

/// Credentials that end within this time aren't used any more.
const MARGIN: Duration = Duration::from_secs(10);

impl Credentials {
    fn of(kind: CredentialKind) -> Self {
        Self { kind, expires: None }
    }

    /// An access key of S3, and what is secret of it.
    #[must_use]
    pub fn keys(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self::of(CredentialKind::Keys { id: id.into(), secret: secret.into(), token: None })
    }

    /// The token of a session, which temporary [`keys`](Self::keys) of S3 come with; nothing for other credentials.
    #[must_use]
    pub fn session_token(mut self, text: impl Into<String>) -> Self {
        if let CredentialKind::Keys { token, .. } = &mut self.kind {
            *token = Some(text.into());
        }
        self
    }

    /// A token of OAuth, for Google Cloud Storage, Azure and HTTP servers.
    #[must_use]
    pub fn bearer(token: impl Into<String>) -> Self {
        Self::of(CredentialKind::Bearer(token.into()))
    }

    /// A user and a password, for HTTP servers.
    #[must_use]
    pub fn basic(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self::of(CredentialKind::Basic { user: user.into(), password: password.into() })
    }

    /// The key of an Azure account, in Base64.
    #[must_use]
    pub fn account_key(key: impl Into<String>) -> Self {
        Self::of(CredentialKind::AccountKey(key.into()))
    }

    /// A shared access signature of Azure: the text behind the `?` of its URL.
    #[must_use]
    pub fn shared_access_signature(query: impl Into<String>) -> Self {
        Self::of(CredentialKind::Sas(query.into()))
    }

    /// When they end. Those without an end are asked for again after five minutes.
    #[must_use]
    pub fn expires(self, when: SystemTime) -> Self {
        Self { expires: Some(when), ..self }
    }

    /// For the header `Authorization` of an HTTP server.
    pub(super) fn authorize(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<reqwest::RequestBuilder, RefusedCredentials> {
        match &self.kind {
            CredentialKind::Bearer(token) => Ok(request.bearer_auth(token)),
            CredentialKind::Basic { user, password } => Ok(request.basic_auth(user, Some(password))),
            _ => Err(RefusedCredentials("a server of HTTP takes a bearer token, or a user and a password")),
        }
    }
}

/// Says what kind they are and when they end, and no more.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            CredentialKind::Keys { token: None, .. } => "keys",
            CredentialKind::Keys { .. } => "keys of a session",
            CredentialKind::Bearer(_) => "bearer",
            CredentialKind::Basic { .. } => "basic",
            CredentialKind::AccountKey(_) => "account key",
            CredentialKind::Sas(_) => "shared access signature",
        };
        f.debug_struct("Credentials").field("kind", &kind).field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Why there are no credentials.
#[derive(Debug)]
pub(super) struct RefusedCredentials(&'static str);

impl fmt::Display for RefusedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no credentials: {}", self.0)
    }
}

impl StdError for RefusedCredentials {}

/// What a program gives to have credentials when they are needed.
pub(super) type CredentialSource = Arc<dyn Fn() -> FetchedCredentials + Send + Sync>;

type FetchedCredentials = Result<Credentials, Box<dyn StdError + Send + Sync>>;

/// Asks a source, on a thread of its own, whenever what it gave last has ended.
pub(super) struct Fetcher {
    source: CredentialSource,
    state: Mutex<CredentialState>,
}

#[derive(Default)]
struct CredentialState {
    last: Option<(Arc<Credentials>, SystemTime)>,
    /// An answer that is still to come: who asked may have stopped waiting for it.
    asked: Option<oneshot::Receiver<FetchedCredentials>>,
}

impl Fetcher {
    pub(super) fn new(source: CredentialSource) -> Self {
        Self { source, state: Mutex::default() }
    }

    pub(super) async fn get(&self) -> Result<Arc<Credentials>, RefusedCredentials> {
        let mut state = self.state.lock().await;
        if let Some((credentials, until)) = &state.last
            && SystemTime::now() < *until
        {
            return Ok(Arc::clone(credentials));
        }
        if state.asked.is_none() {
            state.asked = Some(self.ask()?);
        }
        let Some(asked) = &mut state.asked else { return Err(RefusedCredentials("nobody gives them")) };
        let replied = asked.await;
        state.asked = None;
        // What its error says may well be secret.
        let fetched = replied.map_err(|_| RefusedCredentials("who gives them panicked"))?;
        let fetched = Arc::new(fetched.map_err(|_| RefusedCredentials("who gives them has failed"))?);
        let now = SystemTime::now();
        let until = fetched.expires.map_or(now + LASTING, |end| end.checked_sub(MARGIN).unwrap_or(now));
        state.last = Some((Arc::clone(&fetched), until));
        Ok(fetched)
    }

    /// A source may run a program, or ask someone: the thread of the connections doesn't wait for it.
    fn ask(&self) -> Result<oneshot::Receiver<FetchedCredentials>, RefusedCredentials> {
        let (reply, replied) = oneshot::channel();
        let source = Arc::clone(&self.source);
        let ask = move || drop(reply.send(source()));
        let asked = thread::Builder::new().name("ndcache-credentials".to_owned()).spawn(ask);
        asked.map(|_| replied).map_err(|_| RefusedCredentials("there is no thread to ask for them"))
    }

    async fn converted<T>(&self, convert: impl Fn(&CredentialKind) -> Option<T>) -> ::object_store::Result<Arc<T>> {
        let refused = |refused: RefusedCredentials| ::object_store::Error::Generic {
            store: "credentials",
            source: Box::new(refused),
        };
        let credentials = self.get().await.map_err(refused)?;
        convert(&credentials.kind)
            .map(Arc::new)
            .ok_or_else(|| refused(RefusedCredentials("they are of another kind of store")))
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fetcher")
    }
}

#[async_trait]
impl CredentialProvider for AwsProvider {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> ::object_store::Result<Arc<AwsCredential>> {
        let convert = |kind: &CredentialKind| match kind.clone() {
            CredentialKind::Keys { id, secret, token } => Some(AwsCredential { key_id: id, secret_key: secret, token }),
            _ => None,
        };
        self.0.converted(convert).await
    }
}

#[async_trait]
impl CredentialProvider for GoogleProvider {
    type Credential = GcpCredential;

    async fn get_credential(&self) -> ::object_store::Result<Arc<GcpCredential>> {
        let convert = |kind: &CredentialKind| match kind {
            CredentialKind::Bearer(token) => Some(GcpCredential { bearer: token.clone() }),
            _ => None,
        };
        self.0.converted(convert).await
    }
}

#[async_trait]
impl CredentialProvider for AzureProvider {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> ::object_store::Result<Arc<AzureCredential>> {
        let convert = |kind: &CredentialKind| match kind {
            CredentialKind::Bearer(token) => Some(AzureCredential::BearerToken(token.clone())),
            CredentialKind::AccountKey(key) => AzureAccessKey::try_new(key).ok().map(AzureCredential::AccessKey),
            CredentialKind::Sas(query) => Some(AzureCredential::SASToken(pairs(query))),
            _ => None,
        };
        self.0.converted(convert).await
    }
}

/// For S3.
#[derive(Debug)]
pub(super) struct AwsProvider(pub(super) Arc<Fetcher>);

/// For Google Cloud Storage.
#[derive(Debug)]
pub(super) struct GoogleProvider(pub(super) Arc<Fetcher>);

/// For Azure.
#[derive(Debug)]
pub(super) struct AzureProvider(pub(super) Arc<Fetcher>);

fn pairs(query: &str) -> Vec<(String, String)> {
    let query = query.trim_start_matches('?');
    url::form_urlencoded::parse(query.as_bytes()).map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
}
