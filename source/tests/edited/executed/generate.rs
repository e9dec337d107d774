//! Writes a program whose functions record the lines on which they stand, one function a line.
//!
//! Items call only items that were made before, so that every call ends. Each way of Rust to reach code has its writer.

use std::fmt::Write as _;

const MODULES: usize = 6;
const ITEMS: usize = 100;
const RAN: &str = "crate::ran(line!());";

pub(super) fn generated(seed: u64) -> String {
    let mut program = Program { random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, ..Program::default() };
    for number in 0..ITEMS {
        let module = program.below(MODULES);
        program.item(number, module);
    }
    program.text()
}

#[derive(Clone)]
struct Type {
    path: String,
    method: String,
}

#[derive(Default)]
struct Program {
    random: u64,
    /// The lines of each module.
    modules: [String; MODULES],
    macros: String,
    /// Expressions of type `u64`, with the module of the item that they reach; `@` stands for the path to that module.
    calls: Vec<(usize, String)>,
    types: Vec<Type>,
    roots: Vec<String>,
}

impl Program {
    fn below(&mut self, end: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as usize % end
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let at = self.below(from.len());
        from[at]
    }

    fn line(&mut self, module: usize, text: &str) {
        writeln!(self.modules[module], "{text}").unwrap();
    }

    fn offer(&mut self, module: usize, calls: &[String]) {
        self.calls.extend(calls.iter().map(|call| (module, call.clone())));
    }

    /// A call of something, by one of the ways to name its module.
    fn call(&mut self) -> String {
        if self.calls.is_empty() {
            return "1".to_owned();
        }
        let at = self.below(self.calls.len());
        let (module, call) = self.calls[at].clone();
        match self.below(6) {
            0 => format!("{{ use crate::m{module} as other; {} }}", call.replace('@', "other::")),
            1 => format!("{{ use crate::m{module}::*; {} }}", call.replace('@', "")),
            2 => call.replace('@', &format!("super::m{module}::")),
            3 => call.replace('@', &format!("crate::prelude::m{module}::")),
            4 => call.replace('@', &format!("crate::renamed{module}::")),
            _ => call.replace('@', &format!("crate::m{module}::")),
        }
    }

    fn body(&mut self) -> String {
        let calls = 1 + self.below(2) - usize::from(self.below(3) == 0);
        let mut body = String::from("0u64");
        for _ in 0..calls {
            write!(body, " + {}", self.call()).unwrap();
        }
        body
    }

    fn ty(&mut self) -> Option<Type> {
        let at = if self.types.is_empty() { return None } else { self.below(self.types.len()) };
        Some(self.types[at].clone())
    }

    fn item(&mut self, i: usize, module: usize) {
        match self.below(15) {
            0 | 1 => self.function(i, module),
            2 | 3 => self.record(i, module),
            4 => self.kernel(i, module),
            5 => self.pointer(i, module),
            6 => self.expression_macro(i, module),
            7 => self.item_macro(i, module),
            8 => self.iterator(i, module),
            9 => self.conversion(i, module),
            10 => self.alias(i, module),
            11 => self.standard(i, module),
            12 => self.nested(i, module),
            13 => self.supertrait(i, module),
            _ => self.associated(i, module),
        }
    }

    fn function(&mut self, i: usize, module: usize) {
        let body = self.body();
        self.line(module, &format!("pub fn f{i}() -> u64 {{ {RAN} {body} }}"));
        self.roots.push(format!("m{module}::f{i}"));
        let calls = [
            format!("@f{i}()"),
            format!("[1u64].iter().map(|_| @f{i}()).sum::<u64>()"),
            format!("{{ let g: fn() -> u64 = @f{i}; g() }}"),
            format!("vec![@f{i}()].len() as u64"),
            format!("format!(\"{{}}\", @f{i}()).len() as u64"),
            format!("Some(1u64).map_or_else(@f{i}, |_| 1)"),
            format!("None.unwrap_or_else(@f{i})"),
            format!("crate::both!(@f{i})"),
        ];
        self.offer(module, &calls);
    }

    /// A type with methods, operators and what the compiler calls by itself.
    fn record(&mut self, i: usize, module: usize) {
        let method = format!("m{}", i % 3);
        let bodies: Vec<String> = (0..8).map(|_| self.body()).collect();
        self.line(module, &format!("pub struct T{i}(pub u64);\nimpl T{i} {{"));
        self.line(module, &format!("pub fn new() -> T{i} {{ {RAN} T{i}({}) }}", bodies[0]));
        self.line(module, &format!("pub fn {method}(&self) -> u64 {{ {RAN} {} }}", bodies[1]));
        self.line(module, &format!("pub fn through(&self) -> u64 {{ {RAN} self.{method}() + Self::hidden() }}"));
        self.line(module, &format!("fn hidden() -> u64 {{ {RAN} {} }}", bodies[2]));
        self.line(module, "pub const P: fn() -> u64 = Self::hidden;\n}");
        let mut calls = vec![
            format!("@T{i}::new().{method}()"),
            format!("(@T{i}::P)()"),
            format!("@T{i}::new().through()"),
            format!("{{ let t = @T{i}::new(); t.{method}() }}"),
            format!("crate::method!(@T{i}, {method})"),
        ];
        if self.below(2) == 0 {
            self.block(
                module,
                &format!("Drop for T{i}"),
                "",
                &format!("fn drop(&mut self) {{ {RAN} {}; }}", bodies[3]),
            );
        }
        if self.below(2) == 0 {
            let member = format!("fn neg(self) -> u64 {{ {RAN} {} }}", bodies[4]);
            self.block(module, &format!("std::ops::Neg for T{i}"), "type Output = u64; ", &member);
            calls.push(format!("(-@T{i}::new())"));
        }
        if self.below(2) == 0 {
            let member = format!(
                "fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {{ {RAN} {}; Ok(()) }}",
                bodies[5]
            );
            self.block(module, &format!("std::fmt::Display for T{i}"), "", &member);
            calls.push(format!("@T{i}::new().to_string().len() as u64"));
            self.line(
                module,
                &format!(
                    "static N{i}: T{i} = T{i}(1);\npub fn s{i}() -> u64 {{ {RAN} format!(\"{{N{i}}}\").len() as u64 }}"
                ),
            );
            calls.push(format!("@s{i}()"));
        }
        if self.below(2) == 0 {
            self.block(
                module,
                &format!("Default for T{i}"),
                "",
                &format!("fn default() -> T{i} {{ {RAN} T{i}({}) }}", bodies[6]),
            );
            self.line(module, &format!("#[derive(Default)] pub struct D{i} {{ pub inner: T{i} }}"));
            calls.push(format!("{{ let d = @D{i}::default(); d.inner.{method}() }}"));
            calls.push(format!("{{ let t: @T{i} = Default::default(); t.0 }}"));
        }
        if self.below(2) == 0 {
            let member = format!("fn eq(&self, other: &T{i}) -> bool {{ {RAN} self.0 == other.0 + {} }}", bodies[7]);
            self.block(module, &format!("PartialEq for T{i}"), "", &member);
            calls.push(format!("u64::from([@T{i}::new()].contains(&@T{i}::new()))"));
        }
        self.wrapper(i, module, &method, &mut calls);
        self.offer(module, &calls);
        self.types.push(Type { path: format!("crate::m{module}::T{i}"), method });
    }

    /// A type that derefs to the record.
    fn wrapper(&mut self, i: usize, module: usize, method: &str, calls: &mut Vec<String>) {
        self.line(module, &format!("pub struct W{i}(pub T{i});"));
        self.block(
            module,
            &format!("std::ops::Deref for W{i}"),
            &format!("type Target = T{i}; "),
            &format!("fn deref(&self) -> &T{i} {{ {RAN} &self.0 }}"),
        );
        calls.push(format!("{{ let w: @W{i} = @W{i}(@T{i}::new()); w.{method}() }}"));
        self.line(module, &format!("pub fn w{i}(w: &W{i}) -> u64 {{ {RAN} w.{method}() }}"));
        calls.push(format!("@w{i}(&@W{i}(@T{i}::new()))"));
    }

    fn block(&mut self, module: usize, header: &str, inner: &str, member: &str) {
        self.line(module, &format!("impl {header} {{ {inner}\n{member}\n}}"));
    }

    /// A trait with a provided method, and functions that are generic or dynamic in it.
    fn kernel(&mut self, i: usize, module: usize) {
        let (provided, foreign) = (self.body(), self.body());
        self.line(module, &format!("pub trait K{i} {{\nfn n{i}(&self) -> u64;"));
        self.line(module, &format!("fn p{i}(&self) -> u64 {{ {RAN} self.n{i}() + {provided} }}\n}}"));
        self.block(module, &format!("K{i} for u64"), "", &format!("fn n{i}(&self) -> u64 {{ {RAN} {foreign} }}"));
        let vector = self.body();
        self.block(module, &format!("K{i} for Vec<u8>"), "", &format!("fn n{i}(&self) -> u64 {{ {RAN} {vector} }}"));
        self.line(module, &format!("pub fn g{i}<X: K{i}>(x: X) -> u64 {{ {RAN} x.n{i}() }}"));
        self.line(module, &format!("pub fn d{i}(x: &dyn K{i}) -> u64 {{ {RAN} x.p{i}() }}"));
        let mut calls = vec![
            format!("{{ use crate::m{module}::K{i} as _; 1u64.n{i}() }}"),
            format!("@g{i}(1u64)"),
            format!("<Vec<u8> as @K{i}>::n{i}(&Vec::new())"),
            format!("@d{i}(&1u64)"),
        ];
        if let Some(Type { path, .. }) = self.ty() {
            let member = self.body();
            self.block(module, &format!("K{i} for {path}"), "", &format!("fn n{i}(&self) -> u64 {{ {RAN} {member} }}"));
            self.line(module, &format!("pub fn b{i}() -> Box<dyn K{i}> {{ {RAN} Box::new({path}::new()) }}"));
            self.line(module, &format!("pub fn o{i}() -> impl K{i} {{ {RAN} {path}::new() }}"));
            calls.extend([
                format!("@b{i}().n{i}()"),
                format!("@g{i}(@o{i}())"),
                format!("@K{i}::p{i}(&{path}::new())"),
                format!("@g{i}({path}::new())"),
            ]);
        }
        self.offer(module, &calls);
    }

    fn pointer(&mut self, i: usize, module: usize) {
        let body = self.body();
        let word = self.pick(&["static", "const"]);
        self.line(module, &format!("fn t{i}() -> u64 {{ {RAN} {body} }}\npub {word} S{i}: [fn() -> u64; 1] = [t{i}];"));
        self.line(module, &format!("thread_local! {{ pub static L{i}: u64 = t{i}(); }}"));
        self.offer(module, &[format!("(@S{i}[0])()"), format!("@L{i}.with(|value| *value)")]);
    }

    fn expression_macro(&mut self, i: usize, module: usize) {
        let body = self.body().replace("crate::", "$crate::").replace("super::", "$crate::");
        writeln!(self.macros, "macro_rules! x{i} {{ () => {{ {{ {body} }} }}; ($e:expr) => {{ $e + x{i}!() }} }}")
            .unwrap();
        self.line(module, &format!("pub fn x{i}() -> u64 {{ {RAN} x{i}!() }}"));
        self.offer(module, &[format!("@x{i}()"), format!("x{i}!()"), format!("x{i}!(1)")]);
    }

    fn item_macro(&mut self, i: usize, module: usize) {
        let body = self.body();
        writeln!(
            self.macros,
            "macro_rules! make{i} {{ ($name:ident) => {{ pub fn $name() -> u64 {{ {RAN} {body} }} }} }}"
        )
        .unwrap();
        self.line(module, &format!("make{i}!(q{i});"));
        self.offer(module, &[format!("@q{i}()")]);
        if let Some(Type { path, .. }) = self.ty() {
            let body = self.body();
            writeln!(self.macros, "macro_rules! get{i} {{ ($owner:ty, $name:ident) => {{ impl $owner {{ pub fn $name(&self) -> u64 {{ {RAN} {body} }} }} }} }}").unwrap();
            self.line(module, &format!("get{i}!({path}, get{i});"));
            self.offer(module, &[format!("{path}::new().get{i}()")]);
        }
    }

    fn iterator(&mut self, i: usize, module: usize) {
        let body = self.body();
        self.line(module, &format!("pub struct I{i}(pub u64);"));
        let member =
            format!("fn next(&mut self) -> Option<u64> {{ {RAN} self.0 += 1; {body}; (self.0 < 3).then_some(1) }}");
        self.block(module, &format!("Iterator for I{i}"), "type Item = u64; ", &member);
        self.offer(
            module,
            &[format!("@I{i}(0).sum::<u64>()"), format!("{{ let mut n = 0; for x in @I{i}(0) {{ n += x }} n }}")],
        );
    }

    fn conversion(&mut self, i: usize, module: usize) {
        let body = self.body();
        self.line(module, &format!("pub struct E{i};"));
        let member = format!("fn from(_: std::num::ParseIntError) -> E{i} {{ {RAN} {body}; E{i} }}");
        self.block(module, &format!("From<std::num::ParseIntError> for E{i}"), "", &member);
        self.line(module, &format!("pub fn e{i}() -> Result<u64, E{i}> {{ {RAN} Ok(\"x\".parse::<u64>()?) }}"));
        self.offer(module, &[format!("@e{i}().unwrap_or(1)")]);
    }

    /// Traits of the standard library that its own functions call.
    fn standard(&mut self, i: usize, module: usize) {
        self.line(module, &format!("#[derive(PartialEq, Eq)] pub struct V{i}(pub u64);"));
        let header = |name: &str| format!("{name} for V{i}");
        let (less, hash, parse) = (self.body(), self.body(), self.body());
        let member =
            format!("fn cmp(&self, other: &V{i}) -> std::cmp::Ordering {{ {RAN} {less}; self.0.cmp(&other.0) }}");
        self.block(module, &header("Ord"), "", &member);
        let member = format!(
            "fn partial_cmp(&self, other: &V{i}) -> Option<std::cmp::Ordering> {{ {RAN} Some(self.cmp(other)) }}"
        );
        self.block(module, &header("PartialOrd"), "", &member);
        let member =
            format!("fn hash<H: std::hash::Hasher>(&self, h: &mut H) {{ {RAN} h.write_u64(self.0 + {hash}) }}");
        self.block(module, &header("std::hash::Hash"), "", &member);
        let member = format!("fn from_str(text: &str) -> Result<V{i}, ()> {{ {RAN} Ok(V{i}({parse})) }}");
        self.block(module, &header("std::str::FromStr"), "type Err = (); ", &member);
        let collect = self.body();
        let member = format!("fn from_iter<X: IntoIterator<Item = u64>>(x: X) -> V{i} {{ {RAN} V{i}({collect}) }}");
        self.block(module, &header("FromIterator<u64>"), "", &member);
        let index = self.body();
        let member = format!("fn index(&self, at: usize) -> &u64 {{ {RAN} {index}; &self.0 }}");
        self.block(module, &header("std::ops::Index<usize>"), "type Output = u64; ", &member);
        self.line(module, &format!("pub fn v{i}() -> V{i} {{ {RAN} [1u64, 2].into_iter().collect() }}"));
        self.offer(
            module,
            &[
                format!("{{ let mut all = vec![@V{i}(2), @V{i}(1)]; all.sort(); all[0].0 }}"),
                format!("std::collections::HashSet::from([@V{i}(1)]).len() as u64"),
                format!("\"x\".parse::<@V{i}>().map_or(0, |v| v.0)"),
                format!("@v{i}()[0]"),
                format!("{{ let v: @V{i} = (0..2u64).collect(); v.0 }}"),
                format!("std::cmp::max(@V{i}(1), @v{i}()).0"),
            ],
        );
    }

    /// Items in a body, which hide others and import what they need.
    fn nested(&mut self, i: usize, module: usize) {
        let (inner, method, closure) = (self.body(), self.body(), self.body());
        self.line(module, &format!("pub trait Y{i} {{ fn y{i}(&self) -> u64; }}"));
        self.line(
            module,
            &format!(
                "pub fn y{i}() -> impl Y{i} {{ {RAN} struct Y(fn() -> u64); impl Y{i} for Y {{ fn y{i}(&self) -> u64 {{ {method} + (self.0)() }} }} fn inner() -> u64 {{ {inner} }} Y(inner) }}"
            ),
        );
        self.line(module, &format!("pub struct C{i} {{ pub call: Box<dyn Fn() -> u64> }}"));
        self.line(module, &format!("pub fn c{i}b() -> C{i} {{ {RAN} C{i} {{ call: Box::new(|| {closure}) }} }}"));
        self.offer(
            module,
            &[format!("{{ use crate::m{module}::Y{i} as _; @y{i}().y{i}() }}"), format!("(@c{i}b().call)()")],
        );
    }

    /// A trait over another one, implemented for whatever implements a third.
    fn supertrait(&mut self, i: usize, module: usize) {
        let Some(Type { path, .. }) = self.ty() else { return };
        let (base, provided, every) = (self.body(), self.body(), self.body());
        self.line(module, &format!("pub trait B{i} {{ fn base{i}(&self) -> u64; }}"));
        self.line(
            module,
            &format!("pub trait U{i}: B{i} {{\nfn up{i}(&self) -> u64 {{ {RAN} self.base{i}() + {provided} }}\n}}"),
        );
        self.block(module, &format!("B{i} for {path}"), "", &format!("fn base{i}(&self) -> u64 {{ {RAN} {base} }}"));
        self.line(module, &format!("impl U{i} for {path} {{}}"));
        self.line(module, &format!("pub trait Z{i} {{ fn every{i}(&self) -> u64; }}"));
        let member = format!("fn every{i}(&self) -> u64 {{ {RAN} self.up{i}() + {every} }}");
        self.line(module, &format!("impl<X: U{i} + ?Sized> Z{i} for X {{\n{member}\n}}"));
        self.line(module, &format!("pub fn z{i}(x: &dyn U{i}) -> u64 {{ {RAN} x.every{i}() }}"));
        self.line(module, &format!("pub struct P{i}<X>(pub X);\nimpl<X: B{i}> P{i}<X> {{"));
        self.line(module, &format!("pub fn go{i}(&self) -> u64 {{ {RAN} self.0.base{i}() }}\n}}"));
        self.offer(
            module,
            &[
                format!("@z{i}(&{path}::new())"),
                format!("@U{i}::up{i}(&{path}::new())"),
                format!("@P{i}({path}::new()).go{i}()"),
                format!("{{ use crate::m{module}::*; {path}::new().every{i}() }}"),
            ],
        );
    }

    fn alias(&mut self, i: usize, module: usize) {
        let Some(Type { path, method }) = self.ty() else { return };
        self.line(module, &format!("pub use {path} as R{i};\npub type A{i} = {path};"));
        self.line(module, &format!("pub struct G{i}<X>(pub X);\nimpl G{i}<R{i}> {{"));
        self.line(module, &format!("pub fn inner(&self) -> u64 {{ {RAN} self.0.{method}() }}\n}}"));
        self.offer(
            module,
            &[
                format!("@R{i}::new().{method}()"),
                format!("@A{i}::new().{method}()"),
                format!("@G{i}(@A{i}::new()).inner()"),
            ],
        );
    }

    /// A trait whose associated type decides whose method is called.
    fn associated(&mut self, i: usize, module: usize) {
        let (Some(from), Some(to)) = (self.ty(), self.ty()) else { return };
        self.line(
            module,
            &format!("pub trait Q{i} {{\ntype Out;\nconst C: fn() -> u64;\nfn out(&self) -> Self::Out;\n}}"),
        );
        let body = self.body();
        self.line(module, &format!("fn c{i}() -> u64 {{ {RAN} {body} }}"));
        let (path, out) = (from.path, to.path);
        self.line(module, &format!("impl Q{i} for {path} {{\ntype Out = {out};\nconst C: fn() -> u64 = c{i};"));
        self.line(module, &format!("fn out(&self) -> {out} {{ {RAN} {out}::new() }}\n}}"));
        self.line(module, &format!("pub fn h{i}<X: Q{i}>(x: X) -> X::Out {{ {RAN} x.out() }}"));
        self.line(module, &format!("pub fn k{i}<X: Q{i}>(x: X) -> u64 {{ {RAN} (X::C)() }}"));
        self.offer(module, &[format!("@h{i}({path}::new()).{}()", to.method), format!("@k{i}({path}::new())")]);
    }

    fn text(&self) -> String {
        let mut text = String::from("use std::collections::BTreeSet;\nuse std::sync::Mutex;\n");
        text.push_str("static LINES: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());\n");
        text.push_str("pub fn ran(line: u32) { LINES.lock().unwrap().insert(line); }\n");
        text.push_str("macro_rules! both { ($f:expr) => { $f() + ($f)() } }\npub(crate) use both;\n");
        text.push_str(
            "macro_rules! method { ($t:path, $m:ident) => { <$t>::$m(&<$t>::new()) } }\npub(crate) use method;\n",
        );
        text.push_str(&self.macros);
        for (module, lines) in self.modules.iter().enumerate() {
            write!(text, "pub mod m{module} {{\n{lines}}}\nuse m{module} as renamed{module};\n").unwrap();
        }
        // A module and a function of one name.
        if let Some(root) = self.roots.first() {
            write!(
                text,
                "pub use crate::{root} as m0;\nmod user {{ use crate::m0; pub fn both() -> u64 {{ m0() }} }}\n"
            )
            .unwrap();
        }
        text.push_str("pub mod prelude { pub use super::*; }\nfn main() {\n");
        for root in &self.roots {
            let place = root.replace("::", " ");
            writeln!(text, "LINES.lock().unwrap().clear(); {root}(); report(\"{place}\");").unwrap();
        }
        text.push_str(
            "}\nfn report(root: &str) {\nlet name = format!(\"pub fn {}()\", root.split(' ').nth(1).unwrap());\n",
        );
        text.push_str(
            "let own = include_str!(\"main.rs\").lines().position(|line| line.starts_with(&name)).unwrap() + 1;\n",
        );
        text.push_str(
            "print!(\"{own}\");\nfor line in LINES.lock().unwrap().iter() { print!(\" {line}\"); }\nprintln!();\n}\n",
        );
        text
    }
}
