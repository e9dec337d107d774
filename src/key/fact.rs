//! What code takes from the build: the edition, predicates, variables, files.

use super::{KeyStream, text_digest};
use crate::digest::Digest;

/// Something the tokens refer to and don't contain.
pub enum Fact {
    /// The edition of the crate, which decides what some texts mean.
    Edition(&'static str),
    /// The value of a `cfg` predicate.
    Cfg(&'static str, bool),
    /// The value of an `env!` or `option_env!`.
    Env(&'static str, Option<&'static str>),
    /// The bytes of an `include_str!`, `include_bytes!` or `include!`.
    Include(&'static str, &'static [u8]),
    /// The value of `module_path!()`.
    Module(&'static str),
}

impl Fact {
    /// Name and value, in words. What may be long or nobody's business counts by its digest.
    pub(super) fn part(&self) -> (String, String) {
        match self {
            Fact::Edition(edition) => ("edition".to_owned(), (*edition).to_owned()),
            Fact::Cfg(predicate, value) => (format!("cfg({predicate})"), value.to_string()),
            Fact::Env(name, value) => {
                (format!("env({name})"), value.map_or_else(String::new, |value| text_digest(value).to_string()))
            }
            Fact::Include(name, bytes) => (format!("include({name})"), Digest::of(bytes).to_string()),
            Fact::Module(path) => ("module_path".to_owned(), (*path).to_owned()),
        }
    }

    pub(super) fn feed(&self, stream: &mut KeyStream) {
        match self {
            Fact::Edition(edition) => {
                stream.text("edition");
                stream.text(edition);
            }
            Fact::Cfg(predicate, value) => {
                stream.text("cfg");
                stream.text(predicate);
                stream.number(u64::from(*value));
            }
            Fact::Env(name, value) => {
                stream.text("env");
                stream.text(name);
                stream.length(value.iter().len());
                stream.text(value.unwrap_or(""));
            }
            Fact::Include(name, bytes) => {
                stream.text("include");
                stream.text(name);
                stream.bytes(bytes);
            }
            Fact::Module(path) => {
                stream.text("module");
                stream.text(path);
            }
        }
    }
}
