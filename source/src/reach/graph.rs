//! The graph whose digest is taken.

use super::grow::{Growth, listed};
use super::step::{Node, Step};
use super::{Resolver, guarded};
use crate::digest::{self, Vertex};
use crate::index::Guarded;
use crate::symbol::Map;

/// A vertex for each node, and behind them one for each question that has answers: however many items call `.len()`,
/// what it leads to is told once.
pub(super) fn vertices(resolver: &Resolver<'_>, growth: &Growth<'_>, imports: &[&Guarded]) -> Vec<Vertex> {
    let mut graph = Graph { resolver, growth, questions: Map::default(), answers: Vec::new() };
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

struct Graph<'a> {
    resolver: &'a Resolver<'a>,
    growth: &'a Growth<'a>,
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
        // What belongs to it without a mention: two traits of one text differ by their members, and by their `impl`s.
        let id = grown.node.item;
        for belonging in [
            listed(&self.resolver.naming, &id),
            listed(&self.resolver.by_trait, &id),
            self.resolver.index.members_of(id),
        ] {
            let steps: Vec<Step> = belonging.iter().map(|&id| Step::Item(id)).collect();
            self.edge(&steps, &mut vertex);
        }
        vertex
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
