//! What is told of a call: in its record, and in words.

use crate::call::describe::Described;
use crate::call::lazy::{Call, Identity};
use crate::digest::{CUT, Digest, Leaf};
use crate::entry::write::put::Draft;
use crate::error::{Error, Result};
use crate::key::Types;
use crate::record::Argument;

/// How many bytes the leaves of all arguments may take in a record, of its 65,536. In most records they take some
/// hundreds.
const LEAF_BYTES: usize = 24 << 10;

/// How a memory tells of arguments.
#[derive(Clone, Copy)]
pub(crate) struct Telling<'a> {
    /// Whether their values are told in short.
    pub(crate) texts: bool,
    /// The memory's salt, by which the digest of a secret argument is hidden.
    pub(crate) salt: &'a str,
}

impl<A, R> Call<A, R> {
    /// The texts that are told of the arguments, in the order of their digests: empty ones where nothing is told.
    pub(crate) fn told_texts(&self, telling: Telling<'_>) -> Vec<String> {
        let untold = |identity: &Identity| vec![String::new(); identity.arguments.len()];
        match telling.texts {
            true => self.argument_texts(),
            false => self.identity().map(untold).unwrap_or_default(),
        }
    }

    /// What is told of the arguments of a call that misses, in the order of their digests; nothing where nothing is told.
    pub(crate) fn told(&self, telling: Telling<'_>) -> impl Iterator<Item = &Described> {
        const NOTHING: &Described = &Described { text: String::new(), leaves: Vec::new() };
        let outlines = if telling.texts { self.outlines() } else { &[] };
        outlines.iter().chain(std::iter::repeat(NOTHING))
    }

    /// What the record of the call's result says beside the result.
    ///
    /// # Errors
    ///
    /// Returns an error when the call can't be keyed.
    pub(crate) fn draft(&self, telling: Telling<'_>) -> Result<Draft> {
        let identity = self.identity().map_err(Error::again)?;
        let mut room = LEAF_BYTES;
        let arguments = identity.arguments.iter().zip(self.told(telling)).map(|(argument, told)| {
            let leaves = within(&told.leaves, &mut room);
            Argument::of(argument, told.text.clone(), leaves, telling.salt)
        });
        let arguments = arguments.collect();
        let function = self.function();
        let build = function.build();
        Ok(Draft {
            function: function.path(),
            code: identity.code,
            parts: function.code_parts(),
            arguments,
            build,
            types: build.map(|_| Types::new(function, identity.other_types)),
            readable: false,
            expires: None,
            files: identity.files.clone(),
        })
    }
}

/// The leaves that `room` is left for, behind them the mark that there are more.
fn within(leaves: &[Leaf], room: &mut usize) -> Vec<Leaf> {
    let fits = |leaf: &&Leaf| {
        let rest = room.checked_sub(leaf.path.len() + leaf.text.len() + 64);
        *room = rest.unwrap_or(0);
        rest.is_some()
    };
    let mut kept: Vec<_> = leaves.iter().take_while(fits).cloned().collect();
    if !kept.is_empty() && kept.len() < leaves.len() {
        kept.push(Leaf { path: CUT.to_owned(), digest: Digest::of(b""), text: String::new() });
    }
    kept
}
