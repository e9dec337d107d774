//! Secret arguments: whatever is asked for, what is written, printed and told holds nothing of their values.

use std::fs;
use std::path::Path;

use ndarray::prelude::*;
use ndcache::make::NpyFile;
use ndcache::{FileContent, FileStamp, Memory, Mode, cache, call};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use tracing_subscriber::filter::LevelFilter;

use crate::support::{child, events, in_child, snapshot};

const SECRET: &str = "hunter2-Καλημέρα";

#[cache(secret(token))]
fn fetch(url: &str, token: &str, n: usize) -> Array1<f64> {
    Array1::from_elem(n, (url.len() * token.len()) as f64)
}

#[derive(ndcache::ContentHash)]
struct Client {
    name: String,
}

impl Client {
    #[cache(secret(self, key), name = "log in")]
    fn log_in(&self, key: Option<&str>) -> u64 {
        key.map_or(0, |key| (key.len() * self.name.len()) as u64)
    }
}

/// A value that refuses to be hashed, with an error that contains the value.
struct Loud(&'static str);

impl Serialize for Loud {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom(format!("can't write `{}`", self.0)))
    }
}

#[cache(secret(token))]
fn loud(token: &Loud) -> u64 {
    token.0.len() as u64
}

/// Whether a text, or its escaped form, holds what nobody may read.
fn tells(text: &str) -> bool {
    text.contains("hunter2") || text.contains("Καλ") || text.contains("%CE%9A")
}

fn bytes_tell(bytes: &[u8]) -> bool {
    bytes.windows(7).any(|window| window == b"hunter2")
}

/// Everything that a memory says of calls with a secret, by whatever way.
fn said(folder: &Path, token: &str) -> Vec<String> {
    let memory = Memory::builder(folder).verbose(3).readable(true).recheck(1.0).inline(0).open().unwrap();
    let mut said = Vec::new();
    for url in ["a", "b"] {
        for _ in 0..2 {
            assert_eq!(memory.eval(fetch::call(url, token, 3)), fetch::compute(url, token, 3));
        }
    }
    let client = Client { name: token.to_owned() };
    memory.eval(client.log_in_call(Some(token)));
    let hidden = token.to_owned();
    memory.eval(call!("named", |hidden| hidden.len() as u64, secret(hidden)));
    let target = folder.with_extension("npy");
    for token in [token, "another"] {
        memory.make(fetch::call("c", token, 3), NpyFile::new(&target)).unwrap();
    }
    memory.eval(loud::call(&Loud(SECRET)));
    for token in [token, "another"] {
        let call = fetch::call("a", token, 3);
        said.extend([format!("{call:?}"), memory.explain(&call).to_string(), format!("{:?}", memory.explain(&call))]);
    }
    said.push(format!("{:?}", memory.explain(&loud::call(&Loud(SECRET)))));
    let lineage = memory.lineage(&fetch::call("a", token, 3)).unwrap().unwrap();
    said.extend([lineage.to_string(), lineage.dot(), format!("{lineage:?}")]);
    let shelved = memory.shelve(fetch::call("a", token, 3)).unwrap();
    said.extend([format!("{shelved:?}"), serde_json::to_string(&shelved).unwrap()]);
    said.extend(memory.entries().map(|entry| format!("{:?}", entry.unwrap())));
    said.push(format!("{:?} {:?}", memory.stats(), memory));
    said
}

#[test]
fn a_secret_counts_and_is_told_nowhere() {
    const NAME: &str = "hostile::secrets::a_secret_counts_and_is_told_nowhere";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let mut said = Vec::new();
        let told = events(LevelFilter::TRACE, || said = self::said(Path::new(&folder), SECRET));
        assert!(told.iter().any(|event| event.contains("computed")), "{told:?}");
        let leak = told.iter().chain(&said).find(|text| tells(text));
        assert!(leak.is_none(), "{leak:?}");
        assert!(said.iter().any(|text| text.contains("(secret)")));
        assert!(said.iter().any(|text| text == "argument `token`: another (secret)"), "{said:?}");
        return;
    }
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("cache");
    let output = child(NAME, &[("FOLDER", folder.to_str().unwrap())]).output().unwrap();
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{printed}");
    assert!(!tells(&printed) && printed.contains("token: (secret)"), "{printed}");
    let all = snapshot(outer.path());
    assert!(all.len() > 10);
    for path in all.keys() {
        assert!(!tells(path), "{path}");
        let bytes = fs::read(path).unwrap_or_default();
        assert!(!bytes_tell(&bytes), "{path}");
    }
    assert!(all.keys().any(|path| path.contains("fetch(url=a,token=(secret),n=3)-")), "{all:?}");
    // Two processes look the entry up: one that knows the secret, and one that doesn't.
    let memory = Memory::builder(&folder).mode(Mode::ReadOnly).open().unwrap();
    assert!(memory.contains(&fetch::call("a", SECRET, 3)));
    assert!(!memory.contains(&fetch::call("a", "guess", 3)));
}

#[test]
fn a_record_holds_no_digest_that_a_secret_can_be_guessed_by_without_the_salt() {
    let folder = tempfile::tempdir().unwrap();
    let digest = |salt: &str| {
        let memory = Memory::builder(folder.path()).salt(salt).open().unwrap();
        memory.eval(fetch::call("a", "1234", 3));
        let entry = memory.entry(&fetch::call("a", "1234", 3)).unwrap().unwrap();
        let argument = entry.arguments().iter().find(|argument| argument.name() == "token").unwrap();
        assert_eq!(argument.text(), "(secret)");
        argument.digest()
    };
    let digests = [digest(""), digest("a long text that nobody knows"), digest("another")];
    assert!(digests[0] != digests[1] && digests[1] != digests[2]);
    assert!(!digests.contains(&ndcache::digest("1234")));
}

#[test]
fn without_texts_nothing_is_told_but_names() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).texts(false).readable(true).inline(0).open().unwrap();
    let told = events(LevelFilter::TRACE, || {
        memory.eval(fetch::call("hunter2.example", "x", 3));
        assert_eq!(memory.explain(&fetch::call("another", "x", 3)).to_string(), "argument `url` changed");
        assert_eq!(memory.explain(&fetch::call("hunter2.example", "x", 3)).to_string(), "hit");
        memory.eval(fetch::call("another", "x", 3));
    });
    assert!(!told.iter().any(|event| tells(event)), "{told:?}");
    let lineage = memory.lineage(&fetch::call("hunter2.example", "x", 3)).unwrap().unwrap();
    assert!(lineage.to_string().starts_with("fetch(url, token=(secret), n)"), "{lineage}");
    for path in snapshot(folder.path()).keys() {
        assert!(!tells(path) && !bytes_tell(&fs::read(path).unwrap_or_default()), "{path}");
    }
    assert!(snapshot(folder.path()).keys().any(|path| path.contains("/fetch(token=(secret))-")));
    // Whoever keeps texts finds the same entries, and the other way round.
    let other = Memory::open(folder.path()).unwrap();
    assert!(other.contains(&fetch::call("hunter2.example", "x", 3)));
    assert_eq!(other.explain(&fetch::call("third", "x", 3)).to_string(), "argument `url` changed");
}

#[cache]
fn of_files(_content: &FileContent, _stamp: &FileStamp) -> u64 {
    1
}

#[test]
fn of_a_file_only_its_name_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    fs::write(&path, "1,2,3").unwrap();
    let memory = Memory::open(folder.path().join("cache")).unwrap();
    let (content, stamp) = (FileContent::open(&path).unwrap(), FileStamp::open(&path).unwrap());
    memory.eval(of_files::call(&content, &stamp));
    let entry = memory.entry(&of_files::call(&content, &stamp)).unwrap().unwrap();
    let texts: Vec<_> = entry.arguments().iter().map(|argument| argument.text()).collect();
    assert_eq!(texts, ["\"table.csv\" of 5 bytes"; 2]);
}
