//! `ndcache hash`: the digests of arrays in files.

use std::path::Path;
use std::{fs, io};

use ndcache::Digest;
use ndcache::inspect::digest_npy;
use serde_json::{Value as Json, json};

use crate::args::Hash;
use crate::exit::{Exit, Failure, Outcome};
use crate::out::{Out, Style};
use crate::text::safe;

/// What files are for `--check`.
const LISTS: &str = "`--check` takes lists as `ndcache hash` prints them";

pub(crate) fn run(args: &Hash, out: &mut Out) -> Outcome {
    if args.check { check(args, out) } else { print(args, out) }
}

fn print(args: &Hash, out: &mut Out) -> Outcome {
    let (mut exit, mut files) = (Exit::Fine, Vec::new());
    for path in &args.files {
        let digest = digest_npy(path);
        match &digest {
            Ok(digest) if !out.is_json() => out.line(format!("{digest}  {}", safe(&path.display().to_string())))?,
            Ok(_) => {}
            Err(error) => {
                exit = Exit::Unreadable;
                out.complain(&error.to_string());
            }
        }
        files.push(json!({
            "path": path.display().to_string(),
            "digest": digest.as_ref().ok().map(ToString::to_string),
            "error": digest.as_ref().err().map(ToString::to_string),
        }));
    }
    document(files, out)?;
    Ok(exit)
}

/// Compares the arrays with the digests that stand in files.
fn check(args: &Hash, out: &mut Out) -> Outcome {
    let (mut exit, mut files) = (Exit::Fine, Vec::new());
    for list in &args.files {
        let text = fs::read_to_string(list).map_err(|error| {
            let list = list.display();
            Failure::unreadable(match error.kind() {
                io::ErrorKind::InvalidData => format!("`{list}` is no text: {LISTS}"),
                _ => format!("can't read `{list}`: {error}"),
            })
        })?;
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let parsed = line.split_once("  ").and_then(|(digest, path)| Some((digest.parse::<Digest>().ok()?, path)));
            let (expected, path) = parsed.ok_or_else(|| {
                let list = list.display();
                Failure::usage(format!("line {} of `{list}` isn't a digest, two spaces and a path: {LISTS}", at + 1))
            })?;
            let found = digest_npy(Path::new(path));
            let is_same = found.as_ref().is_ok_and(|found| *found == expected);
            let state = match &found {
                Ok(_) if is_same => "OK".to_owned(),
                Ok(found) => format!("has digest {found}"),
                Err(error) => error.to_string(),
            };
            if !is_same {
                exit = Exit::Found;
            }
            let state = safe(&state).into_owned();
            let shown = if is_same { state.clone() } else { out.styled(Style::Bad, &state) };
            if !out.is_json() {
                out.line(format!("{}: {shown}", safe(path)))?;
            }
            files.push(json!({ "path": path, "expected": expected.to_string(), "ok": is_same, "state": state }));
        }
    }
    document(files, out)?;
    Ok(exit)
}

fn document(files: Vec<Json>, out: &mut Out) -> Outcome<()> {
    if out.common.jsonl {
        return files.iter().try_for_each(|file| out.item(file));
    }
    if out.is_json() { out.document(json!({ "files": files })) } else { Ok(()) }
}
