//! What kept a tier from doing what it was asked, in words for whoever has to mend it.

use std::fmt;

use serde::Serialize;

use crate::error::Error;
use crate::tier::Fault;

/// Why a tier, or one object of it, didn't do what it was asked: with the cause, and what helps.
///
/// Prints as ``tier `s3://cache/main at https://s3.example.org`: denied: `InvalidAccessKeyId`, HTTP 403; check …``. Whatever
/// concerns a tier as a whole is reported once for each cause, what concerns one object with its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Trouble {
    /// The tier, by its [`place`](crate::tier::Backend::place); the cache folder where the trouble lies here.
    pub place: String,
    /// The object that it concerns, if that is one alone.
    pub object: Option<String>,
    /// [`Fault::class`]; `unreachable`, `certificate` or `failed` in place of `other`; and of objects that came `damaged`,
    /// `newer` or `foreign`.
    pub class: &'static str,
    /// What was found.
    pub cause: String,
    /// What helps.
    pub remedy: String,
}

/// What a place itself says of a fault, from [`Backend::advice`](crate::tier::Backend::advice).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Advice {
    /// What was found, if the place knows more than the fault says.
    pub cause: Option<String>,
    /// What helps, if the place knows better than what is said of all places.
    pub remedy: Option<String>,
}

impl Advice {
    /// A cause and what helps.
    pub fn new(cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), remedy: Some(remedy.into()) }
    }
}

/// How a fault begins that says that nobody answers at an address.
pub(super) const NO_CONNECTION: &str = "can't connect to";

/// The most troubles that are reported; the others are only counted.
const MOST: usize = 100;

impl Trouble {
    /// What a fault of a place means.
    pub(super) fn of_fault(place: &str, fault: &Fault, advice: Option<Advice>) -> Self {
        let class = class_of(fault);
        let Advice { cause, remedy } = advice.unwrap_or_default();
        Self {
            place: place.to_owned(),
            object: None,
            class,
            cause: cause.unwrap_or_else(|| fault.to_string()),
            remedy: remedy.unwrap_or_else(|| remedy_of(class).to_owned()),
        }
    }

    /// What came isn't what it should be.
    pub(super) fn of_object(place: &str, class: &'static str, cause: impl Into<String>) -> Self {
        let (place, cause, remedy) = (place.to_owned(), cause.into(), remedy_of(class).to_owned());
        Self { place, object: None, class, cause, remedy }
    }

    /// Something of the cache folder can't be read or written.
    pub(super) fn here(folder: &str, error: &Error) -> Self {
        let remedy = "`ndcache verify --repair` removes what is damaged".to_owned();
        Self { place: folder.to_owned(), object: None, class: "failed", cause: error.to_string(), remedy }
    }

    pub(super) fn at(self, object: impl Into<String>) -> Self {
        Self { object: Some(object.into()), ..self }
    }

    /// Whether the other objects of the place are unlikely to do better.
    pub(super) fn is_of_place(&self) -> bool {
        matches!(self.class, "late" | "no place" | "busy" | "unreachable" | "certificate")
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tier `{}`: ", self.place.escape_debug())?;
        if let Some(object) = &self.object {
            write!(f, "object `{}`: ", object.escape_debug())?;
        }
        write!(f, "{}: {}; {}", self.class, self.cause, self.remedy)
    }
}

/// Adds a trouble to those that are reported, unless the same was.
pub(super) fn add(troubles: &mut Vec<Trouble>, trouble: Trouble) {
    if troubles.len() < MOST && !troubles.contains(&trouble) {
        troubles.push(trouble);
    }
}

fn class_of(fault: &Fault) -> &'static str {
    let Fault::Other(error) = fault else { return fault.class() };
    let text = error.to_string();
    if ["certificate", "Certificate", "UnknownIssuer"].iter().any(|word| text.contains(word)) {
        return "certificate";
    }
    if fault.is_unreachable() || text.starts_with(NO_CONNECTION) { "unreachable" } else { "failed" }
}

fn remedy_of(class: &str) -> &'static str {
    match class {
        "denied" => "check who this user is there, and what that may do",
        "no place" => "make it, mount it, or correct its name",
        "busy" => "try again later",
        "late" => "see whether it can be reached from here, and try again",
        "unsupported" => "take a place that can, or do without",
        "unreachable" => "see whether its name and port are right, it runs, and can be reached from here",
        "certificate" => "name a file with the certificate of its authority in `SSL_CERT_FILE`",
        "damaged" => "purge its function, or remove the object: the next result takes its place",
        "newer" => "take a newer version of ndcache",
        "foreign" => "remove the object: no version of ndcache has put it there",
        _ => "see what its server says of it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_says_place_object_class_cause_and_remedy_once() {
        let mut troubles = Vec::new();
        let denied = Trouble::of_fault("s3://b", &Fault::Denied, None);
        (0..3).for_each(|_| add(&mut troubles, denied.clone()));
        assert_eq!(troubles.len(), 1);
        let advice = Some(Advice::new("`NoSuchBucket`", "make it"));
        let text = Trouble::of_fault("s3://b", &Fault::NoPlace, advice).at("f/x").to_string();
        assert_eq!(text, "tier `s3://b`: object `f/x`: no place: `NoSuchBucket`; make it");
        let refused = Fault::other(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        assert_eq!(Trouble::of_fault("x", &refused, None).class, "unreachable");
        let unknown = Fault::other("invalid peer certificate: UnknownIssuer");
        assert!(Trouble::of_fault("x", &unknown, None).remedy.contains("`SSL_CERT_FILE`"));
    }
}
