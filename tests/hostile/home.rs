//! A cache folder, or that of a tier, in `~`, as a shell and joblib have it.

use std::path::Path;

use ndcache::tier::{Folder, Tier};
use ndcache::{ErrorKind, Memory, Mode};

use crate::support::{child, in_child};

const NAME: &str = "hostile::home::a_folder_that_begins_with_a_tilde_is_in_the_home_folder";

#[test]
fn a_folder_that_begins_with_a_tilde_is_in_the_home_folder() {
    let Some(home) = in_child(NAME, "HOME") else {
        let folder = tempfile::tempdir().unwrap();
        let (home, current) = (folder.path().join("home"), folder.path().join("current"));
        std::fs::create_dir_all(&home).unwrap();
        std::fs::create_dir_all(&current).unwrap();
        let mut child = child(NAME, &[("HOME", home.to_str().unwrap()), ("NDCACHE_DIR", "~/by environment")]);
        let done = child.current_dir(&current).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        return;
    };
    let home = Path::new(&home);
    let current = std::env::current_dir().unwrap();
    let located = |folder: &str| Memory::open(folder).unwrap().location().unwrap().to_owned();
    assert_eq!(located("~/.cache/mine"), home.join(".cache/mine"));
    assert_eq!(located("~//x/"), home.join("x"));
    assert_eq!(located("~"), home);
    assert_eq!(Memory::from_env("nowhere").unwrap().location().unwrap(), home.join("by environment"));
    assert_eq!(
        Memory::builder("~/.cache/mine").mode(Mode::ReadOnly).open().unwrap().location().unwrap(),
        home.join(".cache/mine")
    );
    assert!(!current.join("~").exists());
    let tier = |path: &str| Folder::new(path).map(|folder| folder.path().to_owned());
    assert_eq!(tier("~/shared").unwrap(), home.join("shared"));
    assert_eq!(tier("~").unwrap(), home);
    assert_eq!(tier("./~/shared").unwrap(), current.join("~/shared"));
    let named = |text: &str| format!("{:?}", text.parse::<Tier>().unwrap());
    assert_eq!(named("rw:~/shared"), named(&format!("rw:{}/shared", home.display())));
    for other in ["~other", "~~/x"] {
        let errors = [Memory::open(other).unwrap_err(), tier(other).unwrap_err(), other.parse::<Tier>().unwrap_err()];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(&format!("write its path, or `./{other}`")), "{error}");
        }
        assert!(!current.join(other).exists());
        assert_eq!(located(&format!("./{other}")), current.join(other));
    }
    for literal in ["./~", "./~/x", "x/~"] {
        assert_eq!(located(literal), current.join(literal.trim_start_matches("./")), "{literal}");
    }
    assert!(current.join("~/x/CACHEDIR.TAG").exists());
    // Without a home folder there is an error that says what to do, and no folder is made.
    if std::env::var_os("AGAIN").is_none() {
        let again = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "hostile::home::an_unknown_home_folder_is_an_error", "--nocapture"])
            .env("HOME", "relative")
            .env("AGAIN", "")
            .output()
            .unwrap();
        assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    }
}

#[test]
fn an_unknown_home_folder_is_an_error() {
    if std::env::var_os("AGAIN").is_none() {
        return; // the test above runs it in a process of its own
    }
    let error = Memory::open("~/x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("`~/x`") && error.to_string().contains("`HOME`"), "{error}");
}
