//! One digest over items and over what their mentions lead to.
//!
//! Items are vertices of a graph, and each mention is an edge to the vertices it leads to. Vertices are told apart by
//! colour refinement: at first by their content, then, round by round, by the colours that their edges lead to, until
//! the number of colours no longer grows. Colours are numbers in an order that content decides, so that neither the
//! order of items nor their places enter.

mod stream;

use std::path::Path;

use crate::index::{Index, OWN};

pub(crate) use stream::{content, statements};

use stream::Stream;

/// An item, as the digest sees it.
pub(crate) struct Vertex {
    content: [u8; 16],
    is_root: bool,
    /// Paths of other crates, a list for each mention.
    foreign: Vec<Vec<Vec<String>>>,
    /// Numbers of vertices, a list for each mention.
    edges: Vec<Vec<usize>>,
}

impl Vertex {
    pub(crate) fn new(content: [u8; 16], is_root: bool) -> Vertex {
        Vertex { content, is_root, foreign: Vec::new(), edges: Vec::new() }
    }

    /// Adds what the next mention leads to; the order within one mention doesn't count.
    pub(crate) fn edge(&mut self, mut targets: Vec<usize>, mut foreign: Vec<Vec<&str>>) {
        targets.sort_unstable();
        targets.dedup();
        foreign.sort_unstable();
        foreign.dedup();
        let owned = foreign.into_iter().map(|path| path.into_iter().map(str::to_owned).collect()).collect();
        self.edges.push(targets);
        self.foreign.push(owned);
    }

    /// All of it that no other vertex decides.
    fn own(&self) -> [u8; 16] {
        let mut stream = Stream::new("ndcache-vertex:1");
        stream.bytes(&self.content);
        stream.number(u64::from(self.is_root));
        stream.number(self.edges.len() as u64);
        for (paths, targets) in self.foreign.iter().zip(&self.edges) {
            stream.number(targets.len() as u64);
            stream.number(paths.len() as u64);
            for path in paths {
                stream.number(path.len() as u64);
                path.iter().for_each(|name| stream.text(name));
            }
        }
        stream.finish()
    }
}

/// Ends a mention in a signature; no colour has this number.
const END: u32 = u32::MAX;

/// The digest of a graph.
pub(crate) fn refined(edition: u16, vertices: Vec<Vertex>) -> [u8; 16] {
    let own: Vec<[u8; 16]> = vertices.iter().map(Vertex::own).collect();
    let (mut colours, mut count) = ranked(&own);
    let mut signatures = signatures(&vertices, &colours);
    loop {
        let (finer, grown) = ranked(&signatures);
        colours = finer;
        let done = grown == count;
        count = grown;
        signatures = self::signatures(&vertices, &colours);
        if done {
            break;
        }
    }
    let mut all: Vec<(&[u8; 16], &Vec<u32>)> = own.iter().zip(&signatures).collect();
    all.sort_unstable();
    let mut stream = Stream::new("ndcache-parts:1");
    stream.number(u64::from(edition));
    stream.number(all.len() as u64);
    for (own, signature) in all {
        stream.bytes(own);
        stream.number(signature.len() as u64);
        signature.iter().for_each(|&colour| stream.number(u64::from(colour)));
    }
    stream.finish()
}

/// The rank of each value among the different ones, and how many of these there are.
fn ranked<T: Ord>(values: &[T]) -> (Vec<u32>, usize) {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].cmp(&values[b]));
    let mut ranks = vec![0; values.len()];
    let mut rank = 0;
    for at in 1..order.len() {
        rank += u32::from(values[order[at - 1]] != values[order[at]]);
        ranks[order[at]] = rank;
    }
    (ranks, rank as usize + 1)
}

/// Each vertex's colour, and the colours that each of its mentions leads to.
fn signatures(vertices: &[Vertex], colours: &[u32]) -> Vec<Vec<u32>> {
    let mut signatures = Vec::with_capacity(vertices.len());
    for (vertex, &colour) in vertices.iter().zip(colours) {
        let mut signature = vec![colour];
        for targets in &vertex.edges {
            let start = signature.len();
            for &target in targets {
                signature.push(colours[target]);
            }
            signature[start..].sort_unstable();
            signature.push(END);
        }
        signatures.push(signature);
    }
    signatures
}

/// A digest as text, which stands in a graph beside paths of other crates.
pub(crate) fn hex(digest: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*digest))
}

/// Items by their contents alone, in no order.
pub(crate) fn items(mut contents: Vec<[u8; 16]>) -> [u8; 16] {
    contents.sort_unstable();
    let mut stream = Stream::new("ndcache-items:1");
    stream.number(contents.len() as u64);
    contents.iter().for_each(|digest| stream.bytes(digest));
    stream.finish()
}

/// Every file of the crate as one: the place of each in its crate with its tokens, sorted, and each `cfg` that the
/// compiler was given.
pub(crate) fn files(index: &Index) -> [u8; 16] {
    let mut all: Vec<(String, [u8; 16])> =
        (0..index.files.len()).map(|file| (place(index, file), stream::file(index, file))).collect();
    all.sort_unstable();
    let session = &index.crates[OWN as usize].session;
    let mut stream = Stream::new("ndcache-files:1");
    stream.number(u64::from(session.edition));
    let mut set = session.cfg.clone();
    set.sort_unstable();
    stream.number(set.len() as u64);
    set.iter().for_each(|set| stream.text(set));
    stream.number(u64::from(session.test));
    stream.number(all.len() as u64);
    for (place, digest) in all {
        stream.text(&place);
        stream.bytes(&digest);
    }
    stream.finish()
}

/// A file's path in the folder of its crate, with `/`; of one outside of it the name.
fn place(index: &Index, file: usize) -> String {
    let file = &index.files[file];
    let folder = index.session_of(file).root.parent().unwrap_or(Path::new(""));
    let within = file.path.strip_prefix(folder).ok();
    let path = within.or_else(|| file.path.file_name().map(Path::new)).unwrap_or(Path::new(""));
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}
