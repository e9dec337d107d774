//! What the arguments of the compiler say of the calling crate: its edition, and the crates that it may name.

use std::sync::OnceLock;

/// No variable of Cargo's says either, but the macros run inside of the compiler.
struct CompilerArguments {
    edition: String,
    crates: Vec<String>,
}

/// The edition that the compiler was started for, as in `2024`: one text may mean different things in two editions.
pub(crate) fn edition() -> &'static str {
    &arguments().edition
}

/// Whether a path may begin with another crate of this name.
pub(crate) fn is_crate(name: &str) -> bool {
    const STANDARD: [&str; 5] = ["alloc", "core", "proc_macro", "std", "test"];
    STANDARD.contains(&name) || arguments().crates.iter().any(|known| known == name)
}

fn arguments() -> &'static CompilerArguments {
    static ARGUMENTS: OnceLock<CompilerArguments> = OnceLock::new();
    ARGUMENTS.get_or_init(|| read(std::env::args_os().filter_map(|argument| argument.into_string().ok())))
}

fn read(arguments: impl Iterator<Item = String>) -> CompilerArguments {
    let mut arguments = arguments.flat_map(expanded);
    // Without the option, the compiler takes the first edition.
    let mut read = CompilerArguments { edition: "2015".to_owned(), crates: Vec::new() };
    while let Some(argument) = arguments.next() {
        let (option, value) = match argument.split_once('=') {
            Some((option @ ("--edition" | "--extern"), value)) => (option.to_owned(), value.to_owned()),
            _ if argument == "--edition" || argument == "--extern" => (argument, arguments.next().unwrap_or_default()),
            _ => continue,
        };
        match option.as_str() {
            "--edition" => read.edition = value,
            // `options:name=path`
            _ => {
                read.crates.extend(value.split('=').next().and_then(|name| name.rsplit(':').next()).map(str::to_owned))
            }
        }
    }
    read
}

/// `@path` stands for the lines of a file.
fn expanded(argument: String) -> Vec<String> {
    let lines = argument.strip_prefix('@').and_then(|path| std::fs::read_to_string(path).ok());
    lines.map_or_else(|| vec![argument], |lines| lines.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&str]) -> String {
        read(arguments.iter().map(|argument| argument.to_string())).edition
    }

    #[test]
    fn the_edition_is_that_of_the_compilers_arguments() {
        assert_eq!(of(&["rustc", "--edition=2024", "a.rs"]), "2024");
        assert_eq!(of(&["rustdoc", "--edition", "2021", "a.rs"]), "2021");
        assert_eq!(of(&["rustc", "a.rs", "@missing"]), "2015");
        let with = ["--extern", "noprelude:a=liba.rlib", "--extern=b", "--edition", "2021"];
        let read = read(with.iter().map(|argument| argument.to_string()));
        assert_eq!((read.edition.as_str(), read.crates), ("2021", vec!["a".to_owned(), "b".to_owned()]));
        let folder = std::env::temp_dir().join(format!("ndcache-edition-{}", std::process::id()));
        std::fs::write(&folder, "--crate-name\na\n--edition=2018\n").unwrap();
        assert_eq!(of(&["rustc", &format!("@{}", folder.display())]), "2018");
        std::fs::remove_file(folder).unwrap();
    }
}
