//! How arguments are told in records and in words.

/// How a memory tells of arguments.
#[derive(Clone, Copy)]
pub(crate) struct Telling<'a> {
    /// Whether their values are told in short.
    pub(crate) texts: bool,
    /// The memory's salt, by which the digest of a secret argument is hidden.
    pub(crate) salt: &'a str,
}
