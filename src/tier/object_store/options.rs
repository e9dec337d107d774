//! What a store is configured by: the environment, options, and the program.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use ::object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use ::object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use ::object_store::client::HttpConnector;
use ::object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use ::object_store::http::HttpBuilder;
use ::object_store::list::PaginatedListStore;
use ::object_store::{BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore as Objects, RetryConfig};
use url::Url;

use crate::error::{Error, Result};
use crate::threads::fork::ForkMutex;
use crate::tier::object_store::address::{Address, Protocol};
use crate::tier::object_store::client::{Connector, SharedClient};
use crate::tier::object_store::credentials::{
    AwsProvider, AzureProvider, CredentialSource, Credentials, Fetcher, GoogleProvider,
};
use crate::tier::object_store::http_server::Server;

/// A store that is ready to be asked.
#[derive(Clone)]
pub(super) struct Store {
    pub(super) objects: Arc<dyn Objects>,
    /// Lists by pages; `None` if folders are walked.
    pub(super) pages: Option<Arc<dyn PaginatedListStore>>,
    /// The host that is asked for objects.
    pub(super) host: String,
    /// Without a secret.
    pub(super) endpoint: String,
    /// A server of HTTP, to which bodies are sent as they are read. Elsewhere they are signed, in parts that are in memory.
    pub(super) server: Option<Arc<Server>>,
    /// What has become known of it.
    pub(super) known: Arc<KnownStore>,
}

impl Store {
    /// One that lists by pages, and to which bodies are sent in parts.
    fn by_pages(store: impl Objects + PaginatedListStore, endpoint: String, host: String) -> Self {
        let store = Arc::new(store);
        Self {
            objects: Arc::clone(&store) as _,
            pages: Some(store),
            host,
            endpoint,
            server: None,
            known: Arc::default(),
        }
    }
}

/// What has become known of a store in this process.
#[derive(Default)]
pub(super) struct KnownStore {
    /// There is such a bucket.
    pub(super) is_there: AtomicBool,
    /// Why access was denied last.
    pub(super) denied: ForkMutex<Option<String>>,
}

/// What is said of a store.
#[derive(Clone)]
pub(super) struct StoreChoices {
    pub(super) pairs: Vec<(String, String)>,
    pub(super) source: Option<CredentialSource>,
}

/// What may be said of the client: other keys of `object_store` are for its own.
const CLIENT: [ClientConfigKey; 2] = [ClientConfigKey::AllowHttp, ClientConfigKey::ProxyUrl];

impl StoreChoices {
    /// # Errors
    ///
    /// Returns an error when an option isn't known, or what is said doesn't suffice.
    pub(super) fn store(&self, address: &Address) -> Result<Store> {
        let made = match address.protocol {
            Protocol::S3 => self.s3(address),
            Protocol::Google => self.google(address),
            Protocol::Azure => self.azure(address),
            _ => self.http(address),
        };
        made.map_err(|error| error.at(format_args!("object store `{address}`")))
    }

    fn s3(&self, address: &Address) -> Result<Store> {
        let mut builder = AmazonS3Builder::from_env().with_url(&address.url).with_retry(no_retries());
        builder = builder.with_http_connector(self.connector(false, None)).with_disable_bulk_delete(true);
        for (key, value) in self.parsed::<AmazonS3ConfigKey>(|key| match key {
            AmazonS3ConfigKey::Client(key) => Some(*key),
            _ => None,
        })? {
            // What the program says goes before the variable for S3 alone, too.
            if key == AmazonS3ConfigKey::Endpoint {
                builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, value);
            }
            builder = builder.with_config(key, value);
        }
        if let Some(fetcher) = self.fetcher() {
            builder = builder.with_credentials(Arc::new(AwsProvider(fetcher)));
        }
        let said = |key| builder.get_config_value(&key);
        let region = said(AmazonS3ConfigKey::Region).unwrap_or_else(|| "us-east-1".to_owned());
        let endpoint = said(AmazonS3ConfigKey::S3Endpoint).or_else(|| said(AmazonS3ConfigKey::Endpoint));
        let allows = said(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
        let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let (endpoint, host) = endpoint_of(&endpoint, allows, "AWS_ALLOW_HTTP")?;
        let store = builder.build().map_err(|error| self.refused(&error))?;
        Ok(Store::by_pages(store, endpoint, host))
    }

    fn google(&self, address: &Address) -> Result<Store> {
        let mut builder = GoogleCloudStorageBuilder::from_env().with_url(&address.url).with_retry(no_retries());
        builder = builder.with_http_connector(self.connector(false, None));
        for (key, value) in self.parsed::<GoogleConfigKey>(|key| match key {
            GoogleConfigKey::Client(key) => Some(*key),
            _ => None,
        })? {
            builder = builder.with_config(key, value);
        }
        if let Some(fetcher) = self.fetcher() {
            builder = builder.with_credentials(Arc::new(GoogleProvider(fetcher)));
        }
        let said = |key| builder.get_config_value(&key);
        let endpoint = said(GoogleConfigKey::BaseUrl).unwrap_or_else(|| "https://storage.googleapis.com".to_owned());
        let allows = said(GoogleConfigKey::Client(ClientConfigKey::AllowHttp));
        let (endpoint, host) = endpoint_of(&endpoint, allows, "GOOGLE_ALLOW_HTTP")?;
        let store = builder.build().map_err(|error| self.refused(&error))?;
        Ok(Store::by_pages(store, endpoint, host))
    }

    fn azure(&self, address: &Address) -> Result<Store> {
        let mut builder = MicrosoftAzureBuilder::from_env().with_url(&address.url).with_retry(no_retries());
        builder = builder.with_http_connector(self.connector(false, None));
        for (key, value) in self.parsed::<AzureConfigKey>(|key| match key {
            AzureConfigKey::Client(key) => Some(*key),
            _ => None,
        })? {
            builder = builder.with_config(key, value);
        }
        if let Some(fetcher) = self.fetcher() {
            builder = builder.with_credentials(Arc::new(AzureProvider(fetcher)));
        }
        let said = |key| builder.get_config_value(&key);
        let account = said(AzureConfigKey::AccountName).or_else(|| account_of(&address.url)).unwrap_or_default();
        let endpoint =
            said(AzureConfigKey::Endpoint).unwrap_or_else(|| format!("https://{account}.blob.core.windows.net"));
        let allows = said(AzureConfigKey::Client(ClientConfigKey::AllowHttp));
        let (endpoint, host) = endpoint_of(&endpoint, allows, "AZURE_ALLOW_HTTP")?;
        let store = builder.build().map_err(|error| self.refused(&error))?;
        Ok(Store::by_pages(store, endpoint, host))
    }

    fn http(&self, address: &Address) -> Result<Store> {
        let (own, pairs) = HttpOptions::split(&self.pairs);
        let source = self.source.clone().or_else(|| own.credentials().or(address.credentials.clone()).map(always));
        let others = Self { pairs, source };
        // A URL with `http:` says so itself.
        let mut options = ClientOptions::new().with_allow_http(true);
        for (key, value) in others.parsed::<ClientConfigKey>(|key| Some(*key))? {
            options = options.with_config(key, value);
        }
        let client = self.connector(true, others.fetcher()).connect(&options).map_err(|error| self.refused(&error))?;
        let builder = HttpBuilder::new().with_url(&address.url).with_retry(no_retries());
        let builder = builder.with_http_connector(SharedClient(client.clone())).with_client_options(options);
        let url = Url::parse(&address.url).map_err(|_| Error::invalid("it has no proper URL"))?;
        let (endpoint, host) = endpoint_of(&address.url, Some("true".to_owned()), "")?;
        let objects = Arc::new(builder.build().map_err(|error| self.refused(&error))?);
        let server = Some(Arc::new(Server::new(client, url)));
        Ok(Store { objects, pages: None, host, endpoint, server, known: Arc::default() })
    }

    fn connector(&self, follows: bool, credentials: Option<Arc<Fetcher>>) -> Connector {
        Connector { follows, credentials }
    }

    fn fetcher(&self) -> Option<Arc<Fetcher>> {
        self.source.clone().map(|source| Arc::new(Fetcher::new(source)))
    }

    fn parsed<K: FromStr>(&self, of_client: impl Fn(&K) -> Option<ClientConfigKey>) -> Result<Vec<(K, &str)>> {
        let parse = |name: &str| {
            let key = name.to_ascii_lowercase().parse::<K>().ok();
            let key = key.filter(|key| of_client(key).is_none_or(|key| CLIENT.contains(&key)));
            key.ok_or_else(|| Error::invalid(format!("the option `{}` isn't known here", name.escape_debug())))
        };
        self.pairs.iter().map(|pair| Ok((parse(&pair.0)?, pair.1.as_str()))).collect()
    }

    /// What `object_store` says of the options, without what may be secret of them.
    fn refused(&self, error: &::object_store::Error) -> Error {
        let mut text = error.to_string();
        let secrets = self.pairs.iter().filter(|(key, _)| is_secret(key));
        for (_, value) in secrets.filter(|(_, value)| value.len() >= 4) {
            text = text.replace(value.as_str(), "…");
        }
        Error::invalid(text)
    }
}

/// An option whose value nobody is shown.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["key", "secret", "token", "password", "sas", "proxy"].iter().any(|word| key.contains(word))
}

/// Options that only an HTTP server has.
#[derive(Default)]
struct HttpOptions {
    user: Option<String>,
    password: Option<String>,
    token: Option<String>,
}

impl HttpOptions {
    fn split(pairs: &[(String, String)]) -> (Self, Vec<(String, String)>) {
        let (mut own, mut others) = (Self::default(), Vec::new());
        for (key, value) in pairs {
            match key.as_str() {
                "username" => own.user = Some(value.clone()),
                "password" => own.password = Some(value.clone()),
                "bearer_token" => own.token = Some(value.clone()),
                _ => others.push((key.clone(), value.clone())),
            }
        }
        (own, others)
    }

    fn credentials(self) -> Option<Credentials> {
        match self.token {
            Some(token) => Some(Credentials::bearer(token)),
            None => self.user.map(|user| Credentials::basic(user, self.password.unwrap_or_default())),
        }
    }
}

fn always(credentials: Credentials) -> CredentialSource {
    Arc::new(move || Ok(credentials.clone()))
}

/// The tier alone retries: by itself `object_store` would go on for minutes.
fn no_retries() -> RetryConfig {
    RetryConfig { backoff: BackoffConfig::default(), max_retries: 0, retry_timeout: Duration::ZERO }
}

/// The endpoint as one text, and its host, with its port unless that is the one of its scheme.
fn endpoint_of(text: &str, allows_http: Option<String>, variable: &str) -> Result<(String, String)> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let Some(url) = url else { return Err(Error::invalid("the endpoint isn't the URL of a server")) };
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(Error::invalid("the endpoint has a user, a password or a `?`, expected none"));
    }
    let endpoint = url.as_str().trim_end_matches('/').to_owned();
    if url.scheme() == "http" && allows_http.as_deref() != Some("true") {
        let remedy =
            format!("expected `https`, or `{variable}=true` in the environment or the option `allow_http` = `true`");
        return Err(Error::invalid(format!("the endpoint `{endpoint}` isn't encrypted: {remedy}")));
    }
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Ok((endpoint, host))
}

/// The account in a URL such as `az://container@account.blob.core.windows.net`.
fn account_of(url: &str) -> Option<String> {
    let host = Url::parse(url).ok()?.host_str()?.to_owned();
    host.split_once('.').map(|(account, _)| account.to_owned())
}
