//! The pages say what is there.

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn every_relative_link_leads_to_a_file() {
    let mut links = 0;
    for page in pages() {
        let folder = page.parent().unwrap();
        for target in relative_links(&fs::read_to_string(&page).unwrap()) {
            links += 1;
            assert!(folder.join(&target).exists(), "`{}` links to `{target}`, which is not there", page.display());
        }
    }
    assert!(links > 0);
}

#[test]
fn relative_links_are_found() {
    let text = "[a](docs/a.md), [b](https://example.org/b), [c](d.md#part) and [e](#here)";
    assert_eq!(relative_links(text), ["docs/a.md", "d.md"]);
}

#[test]
fn every_data_file_has_its_source_and_licence() {
    let listed = fs::read_to_string(Path::new(ROOT).join("data/README.md")).unwrap();
    for name in fs::read_dir(Path::new(ROOT).join("data")).unwrap().map(|item| item.unwrap().file_name()) {
        let name = name.into_string().unwrap();
        assert!(name == "README.md" || listed.contains(&format!("| `{name}` |")), "`data/{name}` is not in its README");
    }
}

#[test]
fn every_test_that_a_promise_names_is_there() {
    let promises = fs::read_to_string(Path::new(ROOT).join("docs/guarantees.md")).unwrap();
    let mut code = String::new();
    for folder in ["src", "tests", "macros/src"] {
        read_code(&Path::new(ROOT).join(folder), &mut code);
    }
    let rows = promises.lines().filter(|line| line.starts_with("| ") && !line.contains("| ---"));
    let names = rows.filter_map(|row| row.split(" | ").nth(1)).flat_map(|tests| tests.split('`').skip(1).step_by(2));
    let named: Vec<_> = names.filter(|name| !name.contains('/')).collect();
    assert!(named.len() > 30, "{named:?}");
    for name in named {
        let defined = code.contains(&format!("fn {name}(")) || code.contains(&format!("{name}! {{"));
        assert!(defined, "docs/guarantees.md names the test `{name}`, which is not there");
    }
}

/// The text of every Rust file below `folder`.
fn read_code(folder: &Path, code: &mut String) {
    for path in fs::read_dir(folder).unwrap().map(|item| item.unwrap().path()) {
        if path.is_dir() {
            read_code(&path, code);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            code.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

fn pages() -> Vec<PathBuf> {
    let folders = ["", "docs", "data"].map(|folder| Path::new(ROOT).join(folder));
    let files = folders.into_iter().flat_map(|folder| fs::read_dir(folder).unwrap().map(|item| item.unwrap().path()));
    files.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The targets of Markdown links that are no addresses, without their `#part`.
fn relative_links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files = targets.filter(|target| !target.contains("://")).filter_map(|target| target.split('#').next());
    files.filter(|file| !file.is_empty()).map(str::to_owned).collect()
}
