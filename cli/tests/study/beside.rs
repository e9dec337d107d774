//! Commands that change a cache while programs store and load there: they remove what they listed, and nothing that is
//! stored meanwhile is lost or wrong.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use ndarray::Array1;
use ndcache::{Memory, cache};

use crate::study::empty;
use crate::support::Scene;

/// Calls that were stored before.
const STORED: usize = 24;

#[cache]
fn ramp(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(1000 + n, |at| (at * n) as f64)
}

fn expected(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(1000 + n, |at| (at * n) as f64)
}

fn keys(memory: &Memory) -> BTreeSet<String> {
    memory.entries().filter_map(|entry| Some(entry.ok()?.key().to_string())).collect()
}

/// Numbers that look drawn, and are the same in each run.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// A cache with some calls, and an archive of all of them.
fn stored() -> (Scene, Memory) {
    let scene = empty();
    let memory = Memory::open(scene.cache()).expect("a cache");
    (0..STORED).for_each(|n| assert_eq!(memory.eval(ramp::call(n)), expected(n)));
    assert_eq!(scene.run(&["export", "--function", "ramp", "-o", "all.tar"]).code, 0);
    (scene, memory)
}

/// Runs a command while two threads call with numbers at or above `least`, some of them new; returns its document.
/// Every value has to be right, and all that they store meanwhile is there at the end.
fn beside(scene: &Scene, memory: &Memory, least: usize, arguments: &[&str]) -> serde_json::Value {
    let (ended, seed) = (AtomicBool::new(false), AtomicU64::new(7));
    let document = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut state = seed.fetch_add(1, Ordering::Relaxed);
                while !ended.load(Ordering::Relaxed) {
                    let n = least + draw(&mut state) as usize % (3 * STORED - least);
                    assert_eq!(memory.eval(ramp::call(n)), expected(n), "{arguments:?}: {n}");
                }
            });
        }
        let document = scene.json(arguments);
        ended.store(true, Ordering::Relaxed);
        document
    });
    let report = scene.json(&["verify"]);
    assert_eq!(report["damaged"], 0, "{arguments:?}: {report}");
    document
}

#[test]
fn what_is_collected_or_removed_beside_writers_was_listed() {
    let mut state = 1;
    for round in 0..6 {
        let (scene, memory) = stored();
        let before = keys(&memory);
        let most = (draw(&mut state) % STORED as u64).to_string();
        let condition = format!("n<{most}");
        let arguments = match round % 2 {
            0 => ["gc", "--max-items", &most, "--yes"],
            _ => ["rm", "--where", &condition, "--yes"],
        };
        let document = beside(&scene, &memory, 0, &arguments);
        let listed =
            document["keys"].as_array().expect("a list").iter().map(|key| key.as_str().expect("a key").to_owned());
        let listed: BTreeSet<_> = listed.collect();
        let after = keys(&memory);
        let lost: Vec<_> = before.difference(&after).filter(|key| !listed.contains(*key)).collect();
        assert!(lost.is_empty(), "{arguments:?}: {lost:?}");
    }
}

#[test]
fn a_repair_beside_writers_removes_what_is_damaged_alone() {
    for round in 0..4 {
        let (scene, memory) = stored();
        let entry = |n: usize| memory.entry(&ramp::call(n)).expect("a look").expect("an entry");
        let before: Vec<_> = (0..STORED).map(|n| entry(n).key().to_string()).collect();
        // The damaged entries below the half of `STORED` aren't called meanwhile; those above are stored anew by the
        // threads that call them.
        let damaged: Vec<_> = (round..STORED).step_by(5).collect();
        for n in &damaged {
            fs::write(entry(*n).path(), "nonsense").expect("written");
        }
        let document = beside(&scene, &memory, STORED / 2, &["verify", "--repair", "--yes"]);
        assert!(document["removed"].as_u64() <= Some(damaged.len() as u64), "{document}");
        let after = keys(&memory);
        for (n, key) in before.iter().enumerate() {
            match damaged.contains(&n) {
                false => assert!(after.contains(key), "{n}: {document}"),
                true if n < STORED / 2 => assert!(!after.contains(key), "{n}: {document}"),
                // A thread may have called it, and stored it anew.
                true => {}
            }
        }
    }
}

#[test]
fn an_import_beside_writers_brings_all_of_it() {
    for _ in 0..3 {
        let (scene, memory) = stored();
        let all = keys(&memory);
        assert_eq!(scene.run(&["rm", "--where", "n<12", "--yes"]).code, 0);
        let document = beside(&scene, &memory, 0, &["import", "all.tar"]);
        assert!(all.is_subset(&keys(&memory)), "{document}");
    }
}
