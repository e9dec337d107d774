//! What can't be followed is told.

use ndcache_source::{Reached, Why};

use crate::crates::Crate;

fn reached(text: &str) -> Reached {
    Crate::new(&[("src/lib.rs", text), ("src/a.txt", "")])
        .with(|session| session.externs = vec!["ndarray".to_owned(), "rand".to_owned()])
        .reached()
}

fn unseen(text: &str) -> Vec<String> {
    reached(text).unseen.iter().map(|unseen| unseen.to_string()).collect()
}

#[test]
fn other_crates_are_unseen() {
    let expected = ["crate `ndarray`", "crate `rand`"];
    assert_eq!(
        unseen("use ndarray::Array1; fn root(x: Array1<f64>) { rand::random(); std::mem::drop(x); core::f64::MAX; }"),
        expected
    );
}

#[test]
fn macros_of_other_crates_are_unseen() {
    let expected = [
        "what macro `Serialize` of another crate calls",
        "what macro `azip` of another crate calls",
        "what macro `main` of another crate calls",
    ];
    assert_eq!(
        unseen(
            "#[derive(Clone, Serialize)] struct S; #[tokio::main] fn run() {} fn root(s: S) { azip!(1); println!(); run(); }"
        ),
        expected
    );
}

#[test]
fn a_macro_behind_the_path_of_another_crate_is_none_of_the_standard_library() {
    let found = unseen(
        "#[rand::test] fn helper() { rand::vec!(1); std::vec!(1); core::assert!(true); } fn root() { helper() }",
    );
    let expected = ["what macro `test` of another crate calls", "what macro `vec` of another crate calls"];
    assert!(expected.iter().all(|text| found.contains(&text.to_string())), "{found:?}");
    assert!(unseen("#[derive()] struct S; fn root(s: S) {}").is_empty());
    assert!(unseen("use std::fmt; #[derive(fmt::Debug)] struct S; fn root(s: S) { std::println!() }").is_empty());
}

#[test]
fn pasted_names_are_unseen() {
    let found =
        unseen("macro_rules! make { ($n:ident) => { paste! { fn [<make_ $n>]() {} } } } fn root() { make!(x) }");
    assert!(found.contains(&"names that a macro pastes together in `make`".to_owned()), "{found:?}");
}

#[test]
fn extern_items_are_unseen() {
    let found =
        unseen("unsafe extern \"C\" { fn dgemm(n: i32); static STATE: u8; } fn root() { unsafe { dgemm(1); STATE; } }");
    assert_eq!(found, ["`extern` item `STATE`", "`extern` item `dgemm`"]);
}

#[test]
fn type_arguments_are_unseen() {
    let expected = ["types of other crates as type arguments of `root`"];
    assert_eq!(unseen("fn root<T: Clone>(x: T) {}"), expected);
    assert_eq!(unseen("fn root(x: impl Clone) {}"), expected);
    assert!(unseen("fn root<'a>(x: &'a str) {}").is_empty());
}

#[test]
fn imports_of_a_trait_alone_are_unseen() {
    let expected = [
        "methods that the import of `ndarray::prelude::*` brings",
        "methods that the import of `rand::Rng` brings",
        "methods that the import of `rand::Seed` brings",
    ];
    let found = unseen(
        "use ndarray::prelude::*; use rand::Rng as _; use rand::Seed; use rand::Named; fn root(x: f64, y: Named) { x.sample() }",
    );
    for expected in expected {
        assert!(found.contains(&expected.to_owned()), "{found:?}");
    }
    assert!(!found.iter().any(|found| found.contains("Named")), "{found:?}");
}

#[test]
fn an_included_file_that_isnt_there_is_unseen() {
    assert_eq!(unseen("include!(concat!(env!(\"ELSEWHERE\"), \"/x.rs\")); fn root() {}").len(), 1);
}

#[test]
fn parts_say_why_they_count() {
    let text = "struct A; impl A { fn m(&self) {} } impl Drop for A { fn drop(&mut self) {} } trait T {} impl T for A {} fn helper(a: A) { a.m() } fn root(t: &dyn T) { helper() }";
    let found = reached(text);
    let why =
        |name: &str| found.parts.iter().find(|part| part.name == name).unwrap_or_else(|| panic!("{name}")).why.clone();
    assert_eq!(why("root"), Why::Function);
    assert_eq!(why("helper"), Why::Named("root".to_owned()));
    assert_eq!(why("<impl A>::m"), Why::Member("helper".to_owned()));
    assert_eq!(why("<impl Drop for A>"), Why::ImplOf("A".to_owned()));
    assert_eq!(why("<impl T for A>"), Why::Bound("root".to_owned()));
    assert_eq!(why("helper").to_string(), "named by `root`");
    assert_eq!(found.parts[0].line, 1);
}

#[test]
fn facts_are_told_of_their_parts() {
    let text = "fn root() { helper() } fn helper() { if cfg!(unix) { include_str!(\"a.txt\"); } env!(\"HOME\"); option_env!(\"X\"); module_path!(); #[cfg(feature = \"x\")] f(); cfg_select! { windows => {} _ => {} } }";
    let found = reached(text);
    let facts: Vec<String> = found.parts[1]
        .facts
        .iter()
        .map(|fact| format!("{fact:?}").replace(found.parts[1].file.parent().unwrap().to_str().unwrap(), "src"))
        .collect();
    let expected = [
        "Cfg(\"unix\", None)",
        "Include(\"src/a.txt\")",
        "Env(\"HOME\")",
        "Env(\"X\")",
        "ModulePath",
        "Cfg(\"feature=\\\"x\\\"\", Some(false))",
        "Cfg(\"windows\", None)",
    ];
    assert_eq!(facts, expected);
}

#[test]
fn a_place_without_a_function_is_an_error() {
    let krate = Crate::new(&[("src/lib.rs", "fn root() {}\n\nstruct S;")]);
    let index = krate.index();
    let place =
        ndcache_source::Position { file: "src/lib.rs".into(), line: 3, name: "root".to_owned(), ..Default::default() };
    let error = ndcache_source::Resolver::new(&index).reach(&place, &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "function `root` isn't found at line 3 of `src/lib.rs`, which the crate's modules reach"
    );
}

#[test]
fn too_many_parts_count_as_the_whole_crate() {
    let mut text = String::from("fn root() { f0() }\n");
    for at in 0..5_100 {
        text.push_str(&format!("fn f{at}() {{ f{}() }}\n", at + 1));
    }
    text.push_str("fn with_a_file() { include_str!(\"a.txt\"); }\n#[cfg(unix)] fn on_unix() {}\n");
    text.push_str("fn f5100() { 1 } fn unrelated() { 1 }\n");
    let (first, second) = (reached(&text), reached(&text.replace("unrelated() { 1 }", "unrelated() { 2 }")));
    assert!(first.whole_crate && first.parts.len() == 1);
    assert_eq!(first.parts[0].facts.len(), 2, "{:?}", first.parts[0].facts);
    assert_ne!(first.digest, second.digest);
    assert_eq!(first.digest, reached(&text.replace("{ 1 }", "{\n /* one */ 1 }")).digest);
}
