//! The Rust side of the comparison: runs a round of what a line asks for, and answers with its seconds.
//!
//! `compare worker FOLDER` reads lines `PEER WHAT BYTES` until the end of its input; `compare first FOLDER PEER WHAT
//! BYTES` takes the time of the first call in a process, and ends. `rounds.py` starts both.

mod ours;
mod peers;
#[path = "../../read/mod.rs"]
mod read;
mod times;

use std::collections::HashMap;
use std::error::Error;
use std::io::stdin;
use std::path::Path;

use ndarray::Array1;
use ours::Ours;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["worker", folder] => worker(Path::new(folder)),
        ["first", folder, "ndcache", what, bytes] => {
            let ours = Ours::open(Path::new(folder))?;
            println!("{:e}", ours.first(what, bytes.parse()?)?);
            Ok(())
        }
        _ => Err("usage: compare worker FOLDER | compare first FOLDER ndcache WHAT BYTES".into()),
    }
}

fn worker(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut ours = Ours::open(folder)?;
    let mut arrays = HashMap::new();
    for line in stdin().lines() {
        let line = line?;
        let [bytes, what, peer] = line.rsplitn(3, ' ').collect::<Vec<_>>()[..] else {
            return Err(format!("`{line}` isn't `PEER WHAT BYTES`").into());
        };
        let bytes: usize = bytes.parse()?;
        let x = arrays.entry(bytes).or_insert_with(|| painted(bytes));
        let seconds = match peer {
            "ndcache" => ours.round(what, x)?,
            "cached" => peers::cached(what)?,
            "cached on disk" => peers::redb(&folder.join("redb"), what, x)?,
            "cacache" => peers::cacache(&folder.join("cacache"), what, x)?,
            "plain" => peers::plain(&folder.join("plain"), what, x)?,
            "xor" => times::steady(|| read::xor(x.as_slice().expect("a contiguous array"))),
            other => return Err(format!("no peer is called `{other}`").into()),
        };
        println!("{seconds:e}");
    }
    Ok(())
}

/// The same elements as `painted` of `functions.py`.
fn painted(bytes: usize) -> Array1<f64> {
    Array1::from_shape_fn(bytes / size_of::<f64>(), |i| (i % 251) as f64)
}

/// The same elements as `measured` of `functions.py`.
fn measured(bytes: usize) -> Array1<f64> {
    Array1::from_shape_fn(bytes / size_of::<f64>(), |i| {
        let noise = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52;
        (i % 10_007) as f64 * 0.25 + noise as f64 / 4096.0
    })
}

/// That a peer has no such round.
fn unknown<T>(what: &str) -> Result<T, Box<dyn Error>> {
    Err(format!("nothing is called `{what}` here").into())
}
