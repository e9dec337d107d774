//! What a URL says, without the secrets that may stand in it.

use std::fmt;

use ::object_store::ObjectStoreScheme;
use ::object_store::path::Path;
use percent_encoding::percent_decode_str;
use url::{Position, Url};

use crate::error::{Error, Result};
use crate::tier::Fault;
use crate::tier::object_store::credentials::Credentials;

/// Which protocol is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    S3,
    Google,
    Azure,
    Http,
    Folder,
    Memory,
}

/// A place, by the URL that names it.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) protocol: Protocol,
    /// Without a user, a password and the path, unless the path names the bucket.
    pub(super) url: String,
    /// The folder in the bucket, below which all objects are.
    pub(super) prefix: Path,
    /// The user and the password that stood in the URL of an HTTP server.
    pub(super) credentials: Option<Credentials>,
    /// The URL as it may be shown.
    shown: String,
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let url = Url::parse(text).map_err(|_| unrecognised("isn't one"))?;
        expect_no_query(&url)?;
        let (protocol, prefix) = protocol_of(&url)?;
        let credentials = credentials_of(&url, protocol)?;
        let url = without_credentials(url, protocol);
        let shown = url.as_str().trim_end_matches('/').to_owned();
        let url = match protocol {
            Protocol::Http => url[..Position::BeforePath].to_owned(),
            _ => url.into(),
        };
        Ok(Self { protocol, url, prefix, credentials, shown })
    }

    /// The name of an object in the bucket.
    pub(super) fn path(&self, name: &str) -> Result<Path, Fault> {
        let is_plain = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(is_allowed);
        if !name.split('/').all(is_plain) {
            return Err(Fault::other(format!("`{}` is no name of an object", name.escape_debug())));
        }
        Path::parse(self.below(name)).map_err(Fault::other)
    }

    /// The prefix of all names below a folder, with a `/` at its end; empty for all objects of a bucket.
    pub(super) fn folder(&self, folder: &str) -> Result<String, Fault> {
        let path = if folder.is_empty() { self.prefix.clone() } else { self.path(folder)? };
        Ok(if path.as_ref().is_empty() { String::new() } else { format!("{path}/") })
    }

    /// The name of an object by its path in the bucket.
    pub(super) fn name<'a>(&self, path: &'a str) -> Option<&'a str> {
        match self.prefix.as_ref() {
            "" => Some(path),
            prefix => path.strip_prefix(prefix)?.strip_prefix('/'),
        }
    }

    fn below(&self, name: &str) -> String {
        let prefix = self.prefix.as_ref();
        if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// A printable byte of ASCII that no store takes for something else.
fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\\{}^%`[]\"<>~#|*?".contains(&byte) || byte == b' '
}

fn protocol_of(url: &Url) -> Result<(Protocol, Path)> {
    let (scheme, path) =
        ObjectStoreScheme::parse(url).map_err(|_| unrecognised(&format!("is of `{}`", url.scheme())))?;
    let protocol = match scheme {
        ObjectStoreScheme::AmazonS3 => Protocol::S3,
        ObjectStoreScheme::GoogleCloudStorage => Protocol::Google,
        ObjectStoreScheme::MicrosoftAzure => Protocol::Azure,
        ObjectStoreScheme::Http => Protocol::Http,
        ObjectStoreScheme::Local => Protocol::Folder,
        ObjectStoreScheme::Memory => Protocol::Memory,
        _ => return Err(unrecognised(&format!("is of `{}`", url.scheme()))),
    };
    Ok((protocol, path))
}

/// A signature stands in a query: it is no part of a place.
fn expect_no_query(url: &Url) -> Result<()> {
    match (url.query(), url.fragment()) {
        (None, None) => Ok(()),
        _ => Err(Error::invalid(
            "the URL of an object store has a `?` or a `#`, expected none: what stands behind it is given by \
             `ObjectStore::with` or `credentials`",
        )),
    }
}

fn credentials_of(url: &Url, protocol: Protocol) -> Result<Option<Credentials>> {
    match (protocol, url.username(), url.password()) {
        (_, "", None) => Ok(None),
        // A container of an account.
        (Protocol::Azure, _, None) => Ok(None),
        (Protocol::Http, user, password) => {
            Ok(Some(Credentials::basic(decoded(user), decoded(password.unwrap_or("")))))
        }
        _ => Err(Error::invalid(
            "the URL of an object store has a user or a password, expected none: give them by `ObjectStore::credentials` or \
             the environment",
        )),
    }
}

fn without_credentials(mut url: Url, protocol: Protocol) -> Url {
    if protocol == Protocol::Http {
        let _ = (url.set_username(""), url.set_password(None));
    }
    url
}

/// A part of a URL as the text that was written into it.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn unrecognised(what: &str) -> Error {
    Error::invalid(format!(
        "the URL of an object store {what}, expected one of `s3`, `gs`, `az`, `http`, `https`, `file` or `memory`, such as \
         `s3://bucket/folder`"
    ))
}
