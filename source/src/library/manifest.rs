//! Reads `Cargo.toml`: the folder of a package, and its edition.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the package that a file belongs to: the nearest with a manifest.
pub(crate) fn package(file: &Path) -> Option<PathBuf> {
    let folder = file.ancestors().skip(1).find(|folder| folder.join("Cargo.toml").is_file())?;
    folder.canonicalize().ok()
}

/// The names of the package's programs, as crates: binaries, examples, tests and benchmarks. Those of files in the usual
/// places, and each name that the manifest gives; what is no program's among these does no harm.
pub(super) fn programs(package: &Path) -> Vec<String> {
    let text = fs::read_to_string(package.join("Cargo.toml")).unwrap_or_default();
    let named = text.lines().filter_map(|line| line.split_once('=')).filter(|(key, _)| key.trim() == "name");
    let mut named: Vec<String> = named
        .map(|(_, name)| name.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned())
        .collect();
    // The first is the package's: of its program only where that has a file.
    let own = if named.is_empty() { String::new() } else { named.remove(0) };
    if package.join("src/main.rs").is_file() {
        named.push(own);
    }
    for folder in ["src/bin", "examples", "tests", "benches"] {
        let files = fs::read_dir(package.join(folder)).into_iter().flatten().flatten();
        named.extend(files.filter_map(|file| Some(file.path().file_stem()?.to_str()?.to_owned())));
    }
    named.into_iter().map(|name| name.replace('-', "_")).collect()
}

/// The edition of the package in that folder; `None` if its manifest, or that of its workspace, doesn't tell.
pub(super) fn edition(package: &Path) -> Option<u16> {
    let text = fs::read_to_string(package.join("Cargo.toml")).ok()?;
    match said(&text, "package") {
        EditionField::Edition(edition) => Some(edition),
        EditionField::Nothing => Some(2015),
        EditionField::Inherited => {
            let manifests = package.ancestors().map(|folder| fs::read_to_string(folder.join("Cargo.toml")));
            let found = manifests.flatten().map(|text| said(&text, "workspace.package"));
            found.into_iter().find_map(|said| match said {
                EditionField::Edition(edition) => Some(edition),
                _ => None,
            })
        }
    }
}

#[derive(Debug, PartialEq)]
enum EditionField {
    Nothing,
    Edition(u16),
    Inherited,
}

/// The edition in the table `[name]` of a manifest.
fn said(text: &str, name: &str) -> EditionField {
    let mut table = String::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_end_matches(']').chars().filter(|character| !character.is_whitespace()).collect();
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let key: String = key.chars().filter(|character| !character.is_whitespace()).collect();
        let path = [table.as_str(), &key].join(".");
        if path.trim_start_matches('.') == format!("{name}.edition") {
            let edition = value.trim().trim_matches(['"', '\'']);
            return edition.parse().map_or(EditionField::Inherited, EditionField::Edition);
        }
        if path.trim_start_matches('.') == format!("{name}.edition.workspace") {
            return EditionField::Inherited;
        }
    }
    EditionField::Nothing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_by_their_files_and_names() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("Cargo.toml", "[package]\nname = \"a-b\" # its own\n\n[[bin]]\nname='other-one'\n");
        write("src/lib.rs", "");
        assert_eq!(programs(folder.path()), ["other_one"]);
        write("src/main.rs", "");
        write("src/bin/tool/main.rs", "");
        write("examples/rand.rs", "");
        let mut found = programs(folder.path());
        found.sort_unstable();
        assert_eq!(found, ["a_b", "other_one", "rand", "tool"]);
    }

    #[test]
    fn editions_of_manifests_are_read() {
        for (text, name, expected) in [
            ("[package]\nname = \"a\"\nedition = \"2021\" # the latest\n", "package", EditionField::Edition(2021)),
            ("[ package ]\nedition='2018'", "package", EditionField::Edition(2018)),
            ("[package]\nedition.workspace = true\n", "package", EditionField::Inherited),
            ("[package]\nedition = { workspace = true }\n", "package", EditionField::Inherited),
            ("package.edition = \"2024\"\n", "package", EditionField::Edition(2024)),
            ("[workspace.package]\nedition = \"2024\"\n", "workspace.package", EditionField::Edition(2024)),
            ("[workspace]\npackage.edition = \"2024\"\n", "workspace.package", EditionField::Edition(2024)),
            ("[lib]\nedition = \"2021\"\n[package]\nname = \"a\"\n", "package", EditionField::Nothing),
            ("[[bin]]\nedition = \"2021\"\n", "package", EditionField::Nothing),
        ] {
            assert_eq!(said(text, name), expected, "{text}");
        }
    }
}
