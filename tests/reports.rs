//! What a memory tells of itself, as texts and as data for other programs.

use std::fs;
use std::str::FromStr;
use std::time::Duration;

use ndarray::prelude::*;
use ndcache::verify::{Repair, VerifyReport};
use ndcache::{ErrorKind, Key, Limits, Memory, Mode, cache, digest};
use serde::Serialize;
use serde_json::{Value, json};

use crate::support::fresh;

#[cache(secret(token))]
fn table(n: usize, token: &str) -> Array1<f64> {
    Array1::from_elem(n, token.len() as f64)
}

fn value(report: &impl Serialize) -> Value {
    serde_json::to_value(report).unwrap()
}

#[test]
fn counts_are_data() {
    let (_folder, memory) = fresh();
    memory.eval(table::call(3, "a"));
    memory.eval(table::call(3, "a"));
    let path = table::function().path();
    let stats = value(&memory.stats());
    for (name, count) in [("hits", 1), ("misses", 1), ("faults", 0), ("rechecks", 0), ("mismatches", 0)] {
        assert_eq!(stats[name], count, "{name} in {stats}");
        assert_eq!(stats["functions"][path][name], count, "{name} of the function in {stats}");
    }
    assert_eq!(stats["reasons"], json!({ "hit": 1, "new function": 1 }));
    assert_eq!(stats["copies"], json!({}));
}

#[test]
fn an_entry_is_data_and_keeps_its_secrets() {
    let (_folder, memory) = fresh();
    memory.eval(table::call(5000, "xyzzy"));
    let entry = memory.entry(&table::call(5000, "xyzzy")).unwrap().unwrap();
    let data = value(&entry);
    assert_eq!(data["key"], entry.key().to_string());
    assert_eq!(data["path"], entry.path().to_str().unwrap());
    assert_eq!(data["function"], table::function().path());
    assert_eq!(data["arguments"][0], json!({ "name": "n", "digest": digest(&5000_usize).to_string(), "text": "5000" }));
    assert_eq!((&data["arguments"][1]["name"], &data["arguments"][1]["text"]), (&json!("token"), &json!("(secret)")));
    assert_eq!(data["duration_ns"], entry.duration().as_nanos() as u64);
    assert_eq!(
        (&data["bytes"], &data["edited"], &data["expires"]),
        (&json!(entry.bytes()), &json!(false), &json!(null))
    );
    assert_eq!(data["files"], json!([entry.files()[0].file_name().unwrap().to_str().unwrap()]));
    for time in ["created", "used"] {
        let text = data[time].as_str().unwrap();
        assert!(text.len() == 30 && text.starts_with("20") && text.ends_with('Z'), "{time}: {text}");
    }
    assert!(!data.to_string().contains("xyzzy"));
    assert_eq!(data.as_object().unwrap().len(), 12);
}

#[test]
fn an_explanation_is_data() {
    #[cache]
    fn scaled(x: f64, by: f64) -> f64 {
        x * by
    }
    let (_folder, memory) = fresh();
    let explained = |call| value(&memory.explain(&call));
    let of = |reason: &str, text: &str| json!({ "reason": reason, "edited": false, "text": text, "differences": [] });
    assert_eq!(explained(scaled::call(1.0, 2.0)), of("new function", "new function"));
    memory.eval(scaled::call(1.0, 2.0));
    assert_eq!(explained(scaled::call(1.0, 2.0)), of("hit", "hit"));
    let missed = explained(scaled::call(1.0, 3.0));
    assert_eq!((&missed["reason"], &missed["text"]), (&json!("argument"), &json!("argument `by`: 2.0 → 3.0")));
    assert_eq!(missed["differences"], json!([{ "name": "by", "path": "", "before": "2.0", "now": "3.0" }]));
}

#[test]
fn a_verification_is_data_whatever_a_path_holds() {
    let (folder, memory) = fresh();
    assert_eq!(value(&memory.verify(Repair::No).unwrap()), value(&VerifyReport::default()));
    memory.eval(table::call(2, "a"));
    let path = memory.entry(&table::call(2, "a")).unwrap().unwrap().path().to_owned();
    fs::write(&path, b"nonsense").unwrap();
    let report = value(&memory.verify(Repair::No).unwrap());
    let counted = json!({ "entries": 1, "damaged": 1, "newer": 0, "orphans": 0, "removed": 0, "bytes": 0 });
    for (name, count) in counted.as_object().unwrap() {
        assert_eq!(&report[name], count, "{name} in {report}");
    }
    let problem = &report["problems"][0];
    assert_eq!((&problem["path"], &problem["problem"]), (&json!(path.to_str().unwrap()), &json!("damaged")));
    assert!(problem["text"].as_str().unwrap().starts_with("damaged: "), "{problem}");
    #[cfg(target_os = "linux")]
    {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;

        let odd = folder.path().join(OsStr::from_bytes(b"odd-\xff"));
        let other = Memory::open(&odd).unwrap();
        other.eval(table::call(2, "a"));
        let entry = other.entry(&table::call(2, "a")).unwrap().unwrap();
        assert!(value(&entry)["path"].as_str().unwrap().contains("odd-\u{fffd}"));
        fs::write(entry.path(), b"nonsense").unwrap();
        assert!(value(&other.verify(Repair::No).unwrap())["problems"][0]["path"].is_string());
    }
}

#[test]
fn limits_are_data() {
    let limits = Limits { bytes: Some(1 << 40), items: None, age: Some(Duration::from_millis(1500)) };
    assert_eq!(value(&limits), json!({ "bytes": 1_u64 << 40, "items": null, "age_ns": 1_500_000_000 }));
    let longest = Limits::default().age(Duration::MAX);
    assert_eq!(value(&longest)["age_ns"], u64::MAX);
}

#[test]
fn a_mode_parses_from_what_it_prints() {
    for (mode, text) in
        [(Mode::ReadWrite, "read-write"), (Mode::Refresh, "refresh"), (Mode::ReadOnly, "read-only"), (Mode::Off, "off")]
    {
        assert_eq!(mode.to_string(), text);
        assert_eq!(Mode::from_str(text).unwrap(), mode);
        assert_eq!(format!("{mode:>12}").len(), 12);
    }
    for text in ["", "Off", "readonly", "read-write ", "\u{1b}[31m"] {
        let error = Mode::from_str(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(!error.to_string().contains('\u{1b}'), "{error:?}");
    }
}

#[test]
fn a_key_parses_from_what_it_prints_and_is_whole() {
    let (_folder, memory) = fresh();
    memory.eval(table::call(1, "a"));
    let key = memory.entry(&table::call(1, "a")).unwrap().unwrap().key();
    assert_eq!(Key::from_str(&key.to_string()).unwrap(), key);
    assert_eq!(Key::from_str(&key.to_string().to_uppercase()).unwrap(), key);
    let json = serde_json::to_string(&key).unwrap();
    assert_eq!(json, format!("\"{key}\""));
    assert_eq!(serde_json::from_str::<Key>(&json).unwrap(), key);
    let bytes = bincode::serialize(&key).unwrap();
    assert_eq!(bincode::deserialize::<Key>(&bytes).unwrap(), key);
    let text = key.to_string();
    for wrong in ["", &text[1..], &format!("{text}0"), &text.replace(|_| true, "g"), &format!(" {}", &text[1..])] {
        let error = Key::from_str(wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().starts_with("key is `"), "{error}");
    }
}
