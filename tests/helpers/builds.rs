//! Two builds of one source agree on every key.

use std::fs;
use std::process::Command;

use super::crates::{Crate, rustc};

const MAIN: &str = r#"
mod dsp;

#[ndcache::cache]
fn smooth(x: u64) -> u64 {
    dsp::window(x) + 1
}

fn main() {
    let memory = ndcache::Memory::open(std::env::args().nth(1).unwrap()).unwrap();
    println!("{}", memory.explain(&smooth::call(2)));
    memory.eval(smooth::call(2));
}
"#;

const DSP: &str = r#"
/// Docs of
/// two lines.
macro_rules! text {
    () => {
        "a text
of two lines"
    };
}

/// Docs.
pub fn window(x: u64) -> u64 {
    text!().len() as u64 + include_str!("table.txt").len() as u64 + x * LAST
}

const LAST: u64 = 3;

"#;

fn new() -> Crate {
    Crate::of(&[("main.rs", MAIN), ("dsp.rs", DSP), ("table.txt", "1 2 3")])
}

/// Makes the crate in another folder, with the cache of this one.
fn elsewhere(first: Crate) -> Crate {
    Crate { folder: new().folder, cache: first.cache }
}

#[test]
fn builds_of_one_source_agree_on_every_key() {
    let first = new();
    assert_eq!(first.run(&[]), ["new function"]);
    let second = elsewhere(first);
    let folder = second.folder.path().display().to_string();
    let incremental = format!("-Cincremental={folder}/incremental");
    for options in [
        &["-Copt-level=3", "-Cdebug-assertions=no"][..],
        &["--remap-path-prefix", &format!("{folder}=/hidden")],
        &["-Ccodegen-units=1", "-Cdebuginfo=2", "--cfg", "unrelated"],
        // A clean build, and one from what the build in the first folder has left.
        &[&incremental],
        &[&incremental],
    ] {
        assert_eq!(second.run(options), ["hit"], "{options:?}");
    }
    // An edit of a helper is seen by an incremental build, too.
    second.edit("dsp.rs", "LAST: u64 = 3", "LAST: u64 = 4");
    assert_eq!(second.run(&[&incremental]), ["code of `dsp::LAST` changed"]);
}

/// What `run` does is printed by the program, or by the test.
const TESTED: &str = r#"
mod dsp;

#[derive(Clone, Debug, ndcache::ContentHash)]
pub struct Params {
    pub scale: u64,
}

#[ndcache::cache]
fn smooth(params: &Params) -> u64 {
    dsp::window(params.scale) + 1
}

fn run() {
    let memory = ndcache::Memory::open(std::env::var("CACHE").unwrap()).unwrap();
    let params = Params { scale: 2 };
    println!("told: {}", memory.explain(&smooth::call(&params)));
    memory.eval(smooth::call(&params));
}

fn main() {
    run();
}

#[cfg(test)]
mod tests {
    #[allow(unused_imports)]
    use super::*;

    // more tests

    #[test]
    fn runs() {
        run();
    }
}
"#;

/// The macro of this crate expands to the tokens that it is given.
const PASSED: &str = r#"
#[macro_export]
macro_rules! passed {
    ($($t:tt)*) => { $($t)* };
}
"#;

/// What the program, or the tests that it is compiled to, tell.
fn told(krate: &Crate, options: &[&str]) -> Vec<String> {
    krate.compile(rustc().args(krate.arguments("main.rs")).args(options));
    let mut program = Command::new(krate.path("program"));
    let output = program.args(["--nocapture", "--quiet"]).env("CACHE", krate.cache.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| Some(line.split_once("told: ")?.1.to_owned())).collect()
}

#[test]
fn a_program_and_its_tests_agree_on_every_key() {
    for tests in ["", "passed::passed! { #[test] fn holds() { drop(Params { scale: 3 }); } }"] {
        let text = TESTED.replace("// more tests", tests);
        let files = [("main.rs", text.as_str()), ("passed.rs", PASSED), ("dsp.rs", DSP), ("table.txt", "1 2 3")];
        let krate = Crate::of(&files);
        let passed = krate.library("passed");
        assert_eq!(told(&krate, &[&passed]), ["new function"]);
        assert_eq!(told(&krate, &[&passed, "--test"]), ["hit"], "{tests}");
        // Cargo compiles tests like this if they have a `main` of their own.
        assert_eq!(told(&krate, &[&passed, "--cfg", "test"]), ["hit"], "{tests}");
        krate.edit("dsp.rs", "LAST: u64 = 3", "LAST: u64 = 4");
        assert_eq!(told(&krate, &[&passed, "--test"]), ["code of `dsp::LAST` changed"], "{tests}");
        assert_eq!(told(&krate, &[&passed]), ["hit"], "{tests}");
    }
}

#[test]
fn what_only_tests_have_counts_in_each_kind_of_test() {
    let tested = "#[cfg(test)]\npub const LAST: u64 = 5;\n#[cfg(not(test))]\npub const LAST: u64 = 3;\n";
    let krate = Crate::of(&[
        ("main.rs", TESTED),
        ("dsp.rs", &DSP.replace("const LAST: u64 = 3;", tested)),
        ("table.txt", "1 2 3"),
    ]);
    assert_eq!(told(&krate, &[]), ["new function"]);
    assert_ne!(told(&krate, &["--cfg", "test"]), ["hit"]);
    assert_eq!(told(&krate, &["--test"]), ["hit"], "one kind of test as the other");
}

#[test]
fn arguments_in_a_file_and_a_wrapper_of_the_compiler_change_nothing() {
    let krate = new();
    krate.run(&[]);
    krate.write("arguments", &krate.arguments("main.rs").join("\n"));
    krate.compile(rustc().arg(format!("@{}", krate.path("arguments").display())));
    assert_eq!(krate.execute(), ["hit"]);
    // `RUSTC_WRAPPER` is called with the compiler as its first argument.
    let mut wrapped = Command::new("sh");
    wrapped.args(["-c", "exec \"$@\"", "wrapper"]).arg(rustc().get_program()).args(krate.arguments("main.rs"));
    krate.compile(wrapped.current_dir("/").env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_PKG_NAME"));
    assert_eq!(krate.execute(), ["hit"]);
    // The compiler runs in the folder of the root, which it is given by a relative path.
    let relative = krate.arguments("main.rs").into_iter().map(|argument| match argument.ends_with("main.rs") {
        true => "main.rs".to_owned(),
        false => argument,
    });
    krate.compile(rustc().args(relative).current_dir(krate.folder.path()));
    assert_eq!(krate.execute(), ["hit"]);
}

#[test]
fn line_ends_and_marks_of_byte_order_change_nothing() {
    let first = new();
    first.run(&[]);
    let second = elsewhere(first);
    for name in ["main.rs", "dsp.rs"] {
        let text = fs::read_to_string(second.path(name)).unwrap();
        second.write(name, &format!("\u{feff}{}", text.replace('\n', "\r\n")));
    }
    assert_eq!(second.run(&[]), ["hit"]);
}

#[test]
fn documentation_is_made_of_a_crate_with_cached_functions() {
    let krate = new();
    let mut rustdoc = Command::new(rustc().get_program().to_str().unwrap().replace("rustc", "rustdoc"));
    let arguments = krate.arguments("main.rs").into_iter().filter(|argument| !argument.starts_with("-o"));
    rustdoc.args(arguments).arg("--document-private-items").arg("-o").arg(krate.path("doc")).current_dir("/");
    krate.compile(&mut rustdoc);
    assert!(krate.path("doc/app/fn.smooth.html").is_file());
    assert_eq!(krate.run(&[]), ["new function"]);
}

#[test]
fn above_five_thousand_parts_every_file_counts_and_that_is_told() {
    let mut text = String::from(
        "#[ndcache::cache]\nfn root() -> u64 {\n    f0()\n}\nfn main() {\n    let memory = ndcache::Memory::open(std::env::args().nth(1).unwrap()).unwrap();\n    println!(\"{}\", memory.explain(&root::call()));\n    memory.eval(root::call());\n    for part in root::function().parts() {\n        println!(\"{}: {}\", part.name, part.why);\n    }\n}\nfn unrelated() -> u64 {\n    1\n}\n",
    );
    for at in 0..5_100 {
        text.push_str(&format!("fn f{at}() -> u64 {{ f{}() }}\n", at + 1));
    }
    text.push_str("fn f5100() -> u64 { 1 }\n");
    let krate = Crate::of(&[("main.rs", &text)]);
    let parts = ["root: the function itself", "every file of the crate: more items count than are told apart"];
    assert_eq!(krate.run(&[]), [&["new function"][..], &parts].concat());
    assert_eq!(krate.run(&[])[0], "hit");
    krate.edit("main.rs", "    1\n", "    2\n");
    assert!(krate.run(&[])[0].contains("changed"), "an item that isn't reached counts as well");
}
