//! The graph whose digest is taken: a vertex for each item that counts, with what tells it from items of the same text.

use super::grow::{Growth, listed};
use super::header::ImplementingType;
use super::step::{Node, Step};
use super::{Resolver, guarded};
use crate::digest::{self, Vertex};
use crate::index::{Guarded, Index, ItemId, after_visibility};
use crate::symbol::{Map, Set, Symbol};

/// A vertex for each node, and behind them one for each question that has answers: however many items call `.len()`,
/// what it leads to is said once.
pub(super) fn vertices(resolver: &Resolver<'_>, growth: &Growth<'_>, imports: &[&Guarded]) -> Vec<Vertex> {
    let twins = twins(resolver, growth);
    let mut graph = Graph { resolver, growth, twins, questions: Map::default(), answers: Vec::new() };
    let mut vertices = Vec::with_capacity(growth.grown.len());
    for number in 0..growth.grown.len() {
        vertices.push(graph.vertex(number));
    }
    if !imports.is_empty() {
        let words: Vec<Vec<String>> = imports.iter().map(|guarded| guarded::words(resolver, guarded)).collect();
        vertices[0].edge(Vec::new(), words.iter().map(|words| words.iter().map(String::as_str).collect()).collect());
    }
    vertices.append(&mut graph.answers);
    vertices
}

fn twins(resolver: &Resolver<'_>, growth: &Growth<'_>) -> Set<[u8; 16]> {
    let mut items: Vec<ItemId> = growth.grown.iter().map(|grown| grown.node.item).collect();
    items.sort_unstable();
    items.dedup();
    let mut seen = Set::default();
    items.into_iter().map(|id| resolver.content(id)).filter(|&content| !seen.insert(content)).collect()
}

/// Whether a `static` stands in an item, or in a macro that it calls.
fn holds_state(index: &Index, id: ItemId) -> bool {
    let has_static = |&id: &ItemId| {
        let item = index.item(id);
        (item.keyword..item.to).any(|at| index.file_of(item).symbol(at as usize) == Symbol::STATIC)
    };
    std::iter::once(id).chain(index.macros_under(id)).any(|id| has_static(&id))
}

/// The visibilities of a type's fields, or that of a method, where the type dereferences: with one that isn't visible
/// another type's is meant.
fn visibilities(resolver: &Resolver<'_>, id: ItemId) -> Vec<Symbol> {
    let index = resolver.index;
    let item = index.item(id);
    let block = item.parent.and_then(|parent| resolver.headers.get(&parent));
    let (owner, range) = match block.map(|block| block.implementing) {
        Some(ImplementingType::Local(owner)) => (owner, item.from..item.keyword),
        _ => (id, item.keyword..item.to),
    };
    if !index.item(owner).kind.is_type() || !resolver.derefs(owner) {
        return Vec::new();
    }
    let file = index.file_of(item);
    let mut words = vec![Symbol::PUB];
    for at in range.map(|at| at as usize) {
        match file.symbol(at) {
            Symbol::PUB => words.extend((at..after_visibility(file, at)).map(|at| file.symbol(at))),
            // A field.
            Symbol::COLON | Symbol::COMMA => words.push(Symbol::COMMA),
            _ => {}
        }
    }
    words
}

struct Graph<'a> {
    resolver: &'a Resolver<'a>,
    growth: &'a Growth<'a>,
    /// Contents that several items have.
    twins: Set<[u8; 16]>,
    /// The number of each question's vertex, if it has one.
    questions: Map<Step, Option<usize>>,
    answers: Vec<Vertex>,
}

impl Graph<'_> {
    /// A node's content, and what each of its mentions leads to.
    fn vertex(&mut self, number: usize) -> Vertex {
        let grown = &self.growth.grown[number];
        let is_root = self.growth.roots.contains(&number);
        let mut vertex = Vertex::new(self.resolver.content(grown.node.item), is_root);
        for steps in grown.steps.iter() {
            self.edge(steps, &mut vertex);
        }
        if is_root {
            self.edge(&self.growth.signature, &mut vertex);
        }
        self.belongings(grown.node.item, &mut vertex);
        vertex
    }

    /// What belongs to an item without a mention: two types or traits of one text differ by their members and `impl`s,
    /// and what holds a state by its place.
    fn belongings(&mut self, id: ItemId, vertex: &mut Vertex) {
        let (resolver, index) = (self.resolver, self.resolver.index);
        for belonging in [
            listed(&resolver.about, &id),
            listed(&resolver.by_trait, &id),
            index.members_of(id),
            resolver.calls.of_type(id),
        ] {
            let steps: Vec<Step> = belonging.iter().map(|&id| Step::Item(id)).collect();
            self.edge(&steps, vertex);
        }
        if self.twins.contains(&resolver.content(id)) && holds_state(index, id) {
            vertex.edge(Vec::new(), vec![vec![&resolver.path(id)]]);
        }
        let visibilities = visibilities(resolver, id);
        if !visibilities.is_empty() {
            let words = visibilities.iter().map(|&word| index.symbols.text(word)).collect();
            vertex.edge(Vec::new(), vec![words]);
        }
    }

    fn edge(&mut self, steps: &[Step], vertex: &mut Vertex) {
        let (mut targets, mut foreign, mut blocks) = (Vec::new(), Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Foreign(path) => {
                    foreign.push(path.iter().map(|&name| self.resolver.index.symbols.text(name)).collect());
                }
                Step::Blocks(digest) => blocks.push(digest::hex(digest)),
                Step::Unseen(_) => {}
                Step::Macro(id, scope) => targets.extend(self.growth.numbers.get(&Node { item: *id, scope: *scope })),
                Step::Item(id) => targets.extend(self.number(*id)),
                question => targets.extend(self.question(question)),
            }
        }
        foreign.extend(blocks.iter().map(|digest| vec!["{", digest.as_str()]));
        vertex.edge(targets, foreign);
    }

    fn number(&self, id: u32) -> Option<usize> {
        let scope = self.resolver.index.item(id).scope;
        self.growth.numbers.get(&Node { item: id, scope }).copied()
    }

    fn question(&mut self, step: &Step) -> Option<usize> {
        if let Some(known) = self.questions.get(step) {
            return *known;
        }
        let targets: Vec<usize> = self.growth.targets(step).into_iter().filter_map(|id| self.number(id)).collect();
        let number = (!targets.is_empty()).then(|| {
            let mut vertex = Vertex::new([0; 16], false);
            vertex.edge(targets, Vec::new());
            self.answers.push(vertex);
            self.growth.grown.len() + self.answers.len() - 1
        });
        self.questions.insert(step.clone(), number);
        number
    }
}
