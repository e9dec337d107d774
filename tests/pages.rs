//! The pages agree with the code and with each other.

mod files;
mod lengths;
mod places;
mod quick_start;

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

/// A job or bug that is missing in a list would be tried by no run.
#[test]
fn every_job_of_a_crash_and_every_planted_bug_is_tried() {
    let read = |file: &str| fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
    let between = |text: &str, begin: &str, end: &str| {
        text.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).unwrap().0.to_owned()
    };
    let names = between(&read("tests/crash/jobs.rs"), "fn name(self)", "\n    }\n");
    let listed = between(&read(".ci/full"), "jobs=(", ")");
    let listed: Vec<_> = listed.split(['"', ' ']).collect();
    let names: Vec<_> = names.split('"').skip(1).step_by(2).collect();
    assert!(names.len() >= 16, "{names:?}");
    for name in names {
        assert!(listed.contains(&name), "`.ci/full` doesn't try the job `{name}`");
    }
    let mut code = String::new();
    read_code(&Path::new(ROOT).join("src"), &mut code);
    let planted =
        code.split("planted::").filter_map(|rest| rest.strip_prefix("is(\"").or(rest.strip_prefix("late(\"")));
    let planted: Vec<_> = planted.filter_map(|rest| rest.split_once('"')).map(|(bug, _)| bug).collect();
    let tried = read(".ci/planted");
    assert!(planted.len() > 20, "{planted:?}");
    for bug in planted {
        assert!(tried.contains(&format!(" \"{bug}\" ")), "`.ci/planted` doesn't try the bug `{bug}`");
    }
}

#[test]
fn every_test_that_a_page_names_is_there() {
    let mut code = String::new();
    for folder in ["src", "tests", "macros/src", "source/src", "source/tests", "cli/src", "cli/tests"] {
        read_code(&Path::new(ROOT).join(folder), &mut code);
    }
    let text = fs::read_to_string(Path::new(ROOT).join("docs/guarantees.md")).unwrap();
    let rows = rows_with_tests(&text);
    let names: Vec<_> = rows.iter().flat_map(|row| row.tests()).collect();
    assert!(names.len() > 180, "{names:?}");
    for name in names {
        let defined = if name.contains('/') {
            Path::new(ROOT).join(name).is_file()
        } else {
            code.contains(&format!("fn {name}(")) || code.contains(&format!("{name}! {{"))
        };
        assert!(defined, "docs/guarantees.md names the test `{name}`, which is not there");
    }
}

#[test]
fn every_test_and_every_failure_of_joblib_is_answered() {
    let text = fs::read_to_string(Path::new(ROOT).join("docs/guarantees.md")).unwrap();
    let rows = rows_with_tests(&text);
    let of = |first: &str| {
        let found: Vec<_> = rows.iter().filter(|row| row.cells[0] == first).collect();
        assert_eq!(found.len(), 1, "rows of {first}");
        found[0]
    };
    let mut answered = 0;
    for number in 1..=60 {
        let row = of(&number.to_string());
        let answer = row.cells[2];
        answered += usize::from(!row.tests().is_empty());
        let excused = answer.starts_with("Python only: ");
        assert!(excused == row.tests().is_empty(), "{number}: {answer}");
    }
    assert_eq!(answered, 51, "all that make sense here");
    for number in 1..=18 {
        let row = of(&format!("V{number}"));
        assert!(row.cells.len() == 4 && !row.tests().is_empty(), "V{number}");
    }
}

#[test]
fn tests_are_found_in_the_last_column_of_tables_of_tests() {
    let text = "| a | tests |\n| --- | --- |\n| `x` | `one` in `tests/a.rs`, `two` |\n\n| b | c |\n| --- | --- |\n| d | `e` |\n";
    let rows = rows_with_tests(text);
    assert_eq!((rows.len(), rows[0].cells[0]), (1, "`x`"));
    assert_eq!(rows[0].tests(), ["one", "tests/a.rs", "two"]);
}

/// A row of a table, cell by cell.
struct Row<'a> {
    cells: Vec<&'a str>,
}

impl<'a> Row<'a> {
    /// `None` if the line is no row.
    fn of(line: &'a str) -> Option<Self> {
        let cells = line.strip_prefix('|')?.strip_suffix('|')?;
        Some(Self { cells: cells.split('|').map(str::trim).collect() })
    }

    /// What stands in backticks in its last cell.
    fn tests(&self) -> Vec<&'a str> {
        let last = self.cells.last().copied().unwrap_or_default();
        last.split('`').skip(1).step_by(2).collect()
    }
}

/// The rows of those tables of a page whose last column is headed `tests`.
fn rows_with_tests(page: &str) -> Vec<Row<'_>> {
    let (mut rows, mut header) = (Vec::new(), None);
    for line in page.lines() {
        let Some(row) = Row::of(line) else {
            header = None;
            continue;
        };
        match header {
            None => header = Some(row.cells.last() == Some(&"tests")),
            Some(true) if !row.cells[0].starts_with("---") => rows.push(row),
            Some(_) => {}
        }
    }
    rows
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
