//! What a call of this crate's macros gives them to look up: names of features, variables and files.
//!
//! Nothing is expanded: whatever the call holds is tried for every variable.

use std::path::{Path, PathBuf};

use crate::cfg;
use crate::file::File;
use crate::index::{Index, ItemId, ItemKind, evaluated, is_variable};
use crate::lex::TokenKind;
use crate::reach::Fact;
use crate::reads::{Reads, call, has_variable};
use crate::symbol::Symbol;

/// More texts aren't tried.
const MOST: usize = 4_096;

/// What the macro calls in an item's tokens look up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passed {
    pub(crate) facts: Vec<Fact>,
    /// The macros of which something isn't found.
    pub(crate) unseen: Vec<Symbol>,
    /// The files of code.
    pub(crate) files: Vec<PathBuf>,
}

/// What an item's macro calls look up; of an `impl` or a trait those before its members.
pub(crate) fn passed(index: &Index, id: ItemId) -> Passed {
    let item = index.item(id);
    let file = index.file_of(item);
    let to = if matches!(item.kind, ItemKind::Impl | ItemKind::Trait) { item.head_end() } else { item.to as usize };
    let mut passed = Passed::default();
    passed.unseen.extend(index.unfound.get(&id));
    for at in item.keyword as usize..to {
        let Some((name, open)) = call(file, at) else { continue };
        let is_variable = at > 0 && file.symbol(at - 1) == Symbol::DOLLAR;
        let reads = if is_variable { Reads::ALL } else { index.reads_of(file.krate, name) };
        if reads.cfg || reads.env || reads.file {
            let call = MacroCall { index, file, id, name, open, reads, passed: &mut passed };
            call.read();
        }
    }
    passed
}

/// A macro call whose input is searched for what the macro looks up.
struct MacroCall<'a> {
    index: &'a Index,
    file: &'a File,
    id: ItemId,
    name: Symbol,
    open: usize,
    reads: Reads,
    passed: &'a mut Passed,
}

/// A lookup in a macro whose argument, at `from..to`, depends on a variable.
struct MacroLookup {
    id: ItemId,
    name: Symbol,
    from: usize,
    to: usize,
}

impl MacroCall<'_> {
    fn read(mut self) {
        if self.reads.cfg {
            self.predicates();
        }
        if self.reads.env || self.reads.file {
            self.lookups();
        }
    }

    fn input(&self) -> std::ops::Range<usize> {
        self.open + 1..self.file.tokens[self.open].link as usize
    }

    fn push(&mut self, fact: Fact) {
        if !self.passed.facts.contains(&fact) {
            self.passed.facts.push(fact);
        }
    }

    /// The state of each feature, and of each `cfg` of the compiler's own, that the call may mean.
    fn predicates(&mut self) {
        let (index, file) = (self.index, self.file);
        let texts: Vec<&str> = self.input().filter_map(|at| file.string(at)).collect();
        let names: Vec<&str> = self.input().filter(|&at| file.is_ident(at)).map(|at| file.text_of(at)).collect();
        for set in &index.session_of(file).cfg {
            let is_meant = match set.split_once('=') {
                Some((_, value)) => texts.contains(&value.trim_matches('"')),
                None => names.contains(&set.as_str()),
            };
            if is_meant {
                self.push(Fact::Cfg(set.clone(), Some(true)));
            }
        }
        if names.contains(&"test") {
            self.push(Fact::Cfg("test".to_owned(), Some(index.session_of(file).test)));
        }
        for name in names.iter().filter(|name| cfg::FLAGS.contains(name)) {
            self.push(Fact::Cfg((*name).to_owned(), None));
        }
        self.targets(&names, &texts);
    }

    /// `target_os = "linux"`: of name and value either may stand in a macro.
    fn targets(&mut self, names: &[&str], texts: &[&str]) {
        let index = self.index;
        let (mut all_names, mut all_texts) = (names.to_vec(), texts.to_vec());
        for (&id, _) in index.reads.iter().filter(|(_, reads)| reads.cfg) {
            let item = index.item(id);
            let file = index.file_of(item);
            let tokens = item.keyword as usize..item.to as usize;
            all_names.extend(tokens.clone().filter(|&at| file.is_ident(at)).map(|at| file.text_of(at)));
            all_texts.extend(tokens.filter_map(|at| file.string(at)));
        }
        let mut found = Vec::new();
        for name in all_names.into_iter().filter(|name| cfg::SETTINGS.contains(name)) {
            for text in all_texts.iter().filter(|text| is_value(text)) {
                found.push(Fact::Cfg(format!("{name}=\"{text}\""), None));
            }
        }
        found.sort();
        found.dedup();
        found.into_iter().for_each(|fact| self.push(fact));
    }

    /// Variables and files.
    fn lookups(&mut self) {
        let macros = self.macros();
        let mut texts = self.texts();
        for (id, from, to) in self.concatenations(&macros) {
            texts.extend(self.tried(id, from, to, &texts));
        }
        texts.truncate(MOST);
        for site in macros.iter().flat_map(|&id| sites(self.index, id)) {
            self.site(&site, &texts);
        }
    }

    /// The macros that the call leads to; all that there are if one of them is called by a variable.
    fn macros(&self) -> Vec<ItemId> {
        let index = self.index;
        let mut found: Vec<ItemId> = index.macros_named(self.file.krate, self.name).to_vec();
        if self.reads.called {
            found = index.reads.keys().copied().collect();
        }
        let mut at = 0;
        while at < found.len() {
            let called = index.macros_in(found[at]);
            found.extend(called);
            at += 1;
            let mut seen = crate::symbol::Set::default();
            found.retain(|&id| seen.insert(id));
        }
        found.sort_unstable();
        found
    }

    /// What the call's tokens may become in a text: literals, names, and what is put together of them.
    fn texts(&self) -> Vec<String> {
        let file = self.file;
        let mut texts = Vec::new();
        for at in self.input() {
            if call(file, at).is_some() {
                texts.extend(evaluated(self.index, file, at, self.input().end, &[]));
            }
            match file.tokens[at].kind {
                TokenKind::Literal => texts.extend(evaluated(self.index, file, at, at + 1, &[])),
                TokenKind::Ident if file.symbol(at + 1) != Symbol::BANG => texts.push(file.text_of(at).to_owned()),
                _ => {}
            }
        }
        texts.sort_unstable();
        texts.dedup();
        texts
    }

    /// `concat!(…$name…)` among the macros.
    fn concatenations(&self, macros: &[ItemId]) -> Vec<(ItemId, usize, usize)> {
        let mut found = Vec::new();
        for &id in macros {
            let item = self.index.item(id);
            let file = self.index.file_of(item);
            for at in item.keyword as usize..item.to as usize {
                let Some((name, open)) = call(file, at) else { continue };
                let close = file.tokens[open].link as usize;
                let joins = name == Symbol::CONCAT || self.index.symbols.text(name) == "stringify";
                if joins && has_variable(file, open, close) {
                    found.push((id, at, close));
                }
            }
        }
        found
    }

    /// The expression `from..to` of a macro with each of `texts` for its variables.
    fn tried(&self, id: ItemId, from: usize, to: usize, texts: &[String]) -> Vec<String> {
        let file = self.index.file_of(self.index.item(id));
        let mut variables: Vec<Symbol> =
            (from..to).filter(|&at| file.symbol(at) == Symbol::DOLLAR).map(|at| file.symbol(at + 1)).collect();
        variables.sort_unstable();
        variables.dedup();
        let mut found = Vec::new();
        let mut values: Vec<(Symbol, String)> = Vec::new();
        self.combine(file, (from, to), &variables, texts, &mut values, &mut found);
        found
    }

    fn combine(
        &self,
        file: &File,
        expression: (usize, usize),
        variables: &[Symbol],
        texts: &[String],
        values: &mut Vec<(Symbol, String)>,
        found: &mut Vec<String>,
    ) {
        let Some((&variable, rest)) = variables.split_first() else {
            return found.extend(evaluated(self.index, file, expression.0, expression.1, values));
        };
        for text in texts {
            if found.len() >= MOST {
                return;
            }
            values.push((variable, text.clone()));
            self.combine(file, expression, rest, texts, values, found);
            values.pop();
        }
    }

    fn site(&mut self, site: &MacroLookup, texts: &[String]) {
        let tried = self.tried(site.id, site.from, site.to, texts);
        let found = match site.name {
            Symbol::ENV | Symbol::OPTION_ENV => self.variables(&tried),
            name => self.files(&tried, name == Symbol::INCLUDE),
        };
        // What a macro passes on is looked up where that macro is called.
        let passes_on = self.index.item(self.id).kind == ItemKind::Macro;
        if !found && !passes_on && !self.passed.unseen.contains(&self.name) {
            self.passed.unseen.push(self.name);
        }
    }

    fn variables(&mut self, names: &[String]) -> bool {
        let names = names.iter().filter(|name| is_variable(name));
        let facts: Vec<Fact> = names.map(|name| Fact::Env(name.clone())).collect();
        let found = !facts.is_empty();
        facts.into_iter().for_each(|fact| self.push(fact));
        found
    }

    fn files(&mut self, paths: &[String], is_code: bool) -> bool {
        let mut found = false;
        for folder in folders(self.index, self.id) {
            for path in paths.iter().filter(|path| !path.is_empty()).map(|path| folder.join(path)) {
                if path.is_file() {
                    found = true;
                    self.push(Fact::Include(path.clone()));
                    if is_code {
                        self.passed.files.push(path);
                    }
                }
            }
        }
        found
    }
}

/// The lookups of one macro that depend on its variables.
fn sites(index: &Index, id: ItemId) -> Vec<MacroLookup> {
    let item = index.item(id);
    let file = index.file_of(item);
    let mut found = Vec::new();
    for at in item.keyword as usize..item.to as usize {
        let Some((name, open)) = call(file, at) else { continue };
        let looks = matches!(
            name,
            Symbol::ENV | Symbol::OPTION_ENV | Symbol::INCLUDE | Symbol::INCLUDE_STR | Symbol::INCLUDE_BYTES
        );
        let close = file.tokens[open].link as usize;
        let first = cfg::arguments(file, open + 1, close).first().copied();
        if let Some((from, to)) = first.filter(|&(from, to)| looks && has_variable(file, from, to)) {
            found.push(MacroLookup { id, name, from, to });
        }
    }
    found
}

/// The folders in which a file that the item includes may be looked for: that of its own file, and of a macro, which is
/// called somewhere, those of all.
pub(crate) fn folders(index: &Index, id: ItemId) -> Vec<&Path> {
    let item = index.item(id);
    let mut found: Vec<&Path> = match item.kind {
        ItemKind::Macro => index.files().filter_map(Path::parent).collect(),
        _ => index.file_of(item).path.parent().into_iter().collect(),
    };
    found.sort_unstable();
    found.dedup();
    found
}

/// What a target may be called.
fn is_value(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|character| character.is_ascii_alphanumeric() || "_-.+".contains(character))
}
