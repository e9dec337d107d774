//! How arguments are described in records and in words.

use crate::digest::{CUT, Digest, Leaf};

/// How many bytes the leaves of all arguments may take in a record, of its 65,536. In most records they take some
/// hundreds.
pub(super) const LEAF_BYTES: usize = 24 << 10;

/// How a memory tells of arguments.
#[derive(Clone, Copy)]
pub(crate) struct DescribeOptions<'a> {
    /// Whether their values are described in short.
    pub(crate) texts: bool,
    /// The memory's salt, by which the digest of a secret argument is hidden.
    pub(crate) salt: &'a str,
}

/// The first leaves, as many as `room` is left for, followed by the mark that there are more.
pub(super) fn within(leaves: &[Leaf], room: &mut usize) -> Vec<Leaf> {
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
