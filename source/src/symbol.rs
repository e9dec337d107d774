//! Identifiers and operators as small numbers.

use std::hash::{BuildHasherDefault, Hasher};

/// An identifier, keyword, operator or lifetime of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Symbol(u32);

macro_rules! words {
    ($($name:ident $text:literal)*) => {
        // Most of them are used for their order only.
        #[allow(dead_code, non_camel_case_types, clippy::upper_case_acronyms)]
        enum Word { $($name),* }

        #[allow(dead_code)]
        impl Symbol {
            $(pub(crate) const $name: Symbol = Symbol(Word::$name as u32);)*
        }

        /// The texts of the named symbols, in the order of their numbers.
        const WORDS: &[&str] = &[$($text),*];
    };
}

words! {
    // Keywords, strict and reserved; `LAST_KEYWORD` ends them.
    ABSTRACT "abstract" AS "as" ASYNC "async" AWAIT "await" BECOME "become" BOX "box" BREAK "break" CONST "const"
    CONTINUE "continue" CRATE "crate" DO "do" DYN "dyn" ELSE "else" ENUM "enum" EXTERN "extern" FALSE "false"
    FINAL "final" FN "fn" FOR "for" GEN "gen" IF "if" IMPL "impl" IN "in" LET "let" LOOP "loop" MACRO "macro"
    MATCH "match" MOD "mod" MOVE "move" MUT "mut" OVERRIDE "override" PRIV "priv" PUB "pub" REF "ref" RETURN "return"
    SELF "self" SELF_TYPE "Self" STATIC "static" STRUCT "struct" SUPER "super" TRAIT "trait" TRUE "true" TRY "try"
    TYPE "type" TYPEOF "typeof" UNSAFE "unsafe" UNSIZED "unsized" USE "use" VIRTUAL "virtual" WHERE "where"
    WHILE "while" YIELD "yield" UNDERSCORE "_"
    // Words that mean something in places.
    AUTO "auto" DEFAULT "default" SAFE "safe" UNION "union" MACRO_RULES "macro_rules" INCLUDE "include"
    CFG "cfg" CFG_ATTR "cfg_attr" CFG_SELECT "cfg_select" PATH "path" DOC "doc" ALLOW "allow" WARN "warn" DENY "deny"
    FORBID "forbid" EXPECT "expect" MACRO_EXPORT "macro_export" MACRO_USE "macro_use" CACHE "cache" CODE "code" CONCAT "concat" ENV "env"
    OPTION_ENV "option_env" INCLUDE_STR "include_str" INCLUDE_BYTES "include_bytes" MODULE_PATH "module_path"
    DERIVE "derive" DEREF "Deref" DEREF_MUT "DerefMut" NOT "not" ALL "all" ANY "any" STD "std" CORE "core" ALLOC "alloc"
    // Operators.
    DOTS3 "..." DOTS_EQ "..=" SHL_EQ "<<=" SHR_EQ ">>=" NE "!=" REM_EQ "%=" AND2 "&&" AND_EQ "&=" MUL_EQ "*="
    ADD_EQ "+=" SUB_EQ "-=" ARROW "->" DOTS ".." DIV_EQ "/=" COLON2 "::" SHL "<<" LE "<=" EQ2 "==" FAT_ARROW "=>"
    GE ">=" SHR ">>" XOR_EQ "^=" OR_EQ "|=" OR2 "||" BANG "!" POUND "#" DOLLAR "$" PERCENT "%" AND "&" STAR "*"
    PLUS "+" COMMA "," MINUS "-" DOT "." SLASH "/" COLON ":" SEMI ";" LT "<" EQ "=" GT ">" QUESTION "?" AT "@"
    BACKSLASH "\\" CARET "^" OR "|" TILDE "~" NONE ""
}

impl Symbol {
    /// A keyword, strict or reserved, or `_`.
    pub(crate) fn is_keyword(self) -> bool {
        self.0 <= Symbol::UNDERSCORE.0
    }
}

/// The texts behind the symbols of one index: an open-addressed table, since it is asked once for each token.
pub(crate) struct Symbols {
    texts: Vec<Box<str>>,
    /// Numbers of symbols plus one; zero is vacant. Its length is a power of two, at least twice that of `texts`.
    table: Vec<u32>,
}

impl Symbols {
    pub(crate) fn new() -> Symbols {
        let mut symbols = Symbols { texts: Vec::new(), table: vec![0; 4096] };
        for word in WORDS {
            symbols.intern(word);
        }
        symbols
    }

    pub(crate) fn text(&self, symbol: Symbol) -> &str {
        &self.texts[symbol.0 as usize]
    }

    pub(crate) fn intern(&mut self, text: &str) -> Symbol {
        let mut at = hash(text.as_bytes()) as usize & (self.table.len() - 1);
        loop {
            let found = self.table[at];
            if found == 0 {
                return self.add(text, at);
            }
            if *self.texts[found as usize - 1] == *text {
                return Symbol(found - 1);
            }
            at = (at + 1) & (self.table.len() - 1);
        }
    }

    /// The symbol of a name without `r#`, which a keyword has in the files.
    pub(crate) fn find_name(&self, name: &str) -> Option<Symbol> {
        let found = self.find(name);
        let raw = || self.find(&format!("r#{name}"));
        if found.is_none_or(Symbol::is_keyword) { raw().or(found) } else { found }
    }

    /// The symbol of a text that some file has.
    pub(crate) fn find(&self, text: &str) -> Option<Symbol> {
        let mut at = hash(text.as_bytes()) as usize & (self.table.len() - 1);
        loop {
            match self.table[at] {
                0 => return None,
                found if *self.texts[found as usize - 1] == *text => return Some(Symbol(found - 1)),
                _ => at = (at + 1) & (self.table.len() - 1),
            }
        }
    }

    fn add(&mut self, text: &str, at: usize) -> Symbol {
        self.texts.push(text.into());
        self.table[at] = self.texts.len() as u32;
        if self.texts.len() * 2 > self.table.len() {
            self.grow();
        }
        Symbol(self.texts.len() as u32 - 1)
    }

    fn grow(&mut self) {
        let length = self.table.len() * 2;
        self.table = vec![0; length];
        for (number, text) in self.texts.iter().enumerate() {
            let mut at = hash(text.as_bytes()) as usize & (length - 1);
            while self.table[at] != 0 {
                at = (at + 1) & (length - 1);
            }
            self.table[at] = number as u32 + 1;
        }
    }
}

/// FNV-1a, folded: one multiplication a byte, and no function to call where nothing is optimised.
fn hash(bytes: &[u8]) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    hash ^ (hash >> 15)
}

/// Hashes small numbers by one multiplication: the standard hasher takes most of the time where nothing is optimised.
#[derive(Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }
}

pub(crate) type Map<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<NumberHasher>>;
pub(crate) type Set<K> = std::collections::HashSet<K, BuildHasherDefault<NumberHasher>>;
