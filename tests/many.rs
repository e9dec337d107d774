//! Folders with many entries: none is forgotten, and a put doesn't look at them.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use ndcache::{Limits, Memory, cache};

use crate::support::{child, fresh, in_child, skip};

#[cache]
fn number(n: u64) -> u64 {
    n + 1
}

/// More entries than the calling thread reads by itself.
const MANY: u64 = 1500;

fn filled(memory: &Memory) {
    for n in 0..MANY {
        memory.try_eval(number::call(n)).unwrap();
    }
}

#[test]
fn many_entries_are_listed_each_once() {
    let (_folder, memory) = fresh();
    filled(&memory);
    let texts = || memory.entries().map(|entry| entry.unwrap().arguments()[0].text().to_owned());
    let expected: BTreeSet<String> = (0..MANY).map(|n| n.to_string()).collect();
    assert_eq!(texts().count() as u64, MANY);
    assert_eq!(texts().collect::<BTreeSet<_>>(), expected);
    // Reading ahead stops when the iterator is dropped.
    assert_eq!(texts().take(1200).count(), 1200);

    let damaged = memory.entry(&number::call(7)).unwrap().unwrap().path().to_owned();
    fs::write(damaged, "no record").unwrap();
    assert!(memory.remove(&number::call(8)).unwrap());
    let (readable, broken): (Vec<_>, Vec<_>) = memory.entries().partition(Result::is_ok);
    assert_eq!((readable.len() as u64, broken.len()), (MANY - 2, 1));
    assert_eq!(memory.reduce_size(Limits::default().items(10)).unwrap().items, MANY - 11);
    assert_eq!(memory.entries().count(), 10);
}

#[cache]
fn long_text(n: u64) -> String {
    n.to_string().repeat(1 << 20)
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn entries_take_little_memory_however_long_their_values_are() {
    const NAME: &str = "many::entries_take_little_memory_however_long_their_values_are";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(folder).unwrap();
        let before = resident();
        let entries: Vec<_> = memory.entries().map(Result::unwrap).collect();
        let grown = resident().saturating_sub(before);
        assert!(entries.len() == 64 && entries.iter().all(|entry| entry.bytes() > 1 << 20));
        assert!(grown < 16 << 20, "{} MiB", grown >> 20);
        return println!("listed");
    }
    let (folder, memory) = fresh();
    (0..64).for_each(|n| drop(memory.try_eval(long_text::call(n)).unwrap()));
    let output = child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("listed"), "{output:?}");
}

#[test]
fn a_put_lists_no_folder() {
    const NAME: &str = "many::a_put_lists_no_folder";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(folder).unwrap();
        // The first miss of a function in a process looks at a few records, to say why it isn't a hit.
        memory.try_eval(number::call(999)).unwrap();
        println!("puts begin");
        (1000..1050).for_each(|n| assert_eq!(memory.try_eval(number::call(n)).unwrap(), n + 1));
        println!("puts end");
        return;
    }
    if Command::new("strace").arg("-V").output().is_err() && skip("strace") {
        return;
    }
    let (folder, memory) = fresh();
    (0..300).for_each(|n| assert_eq!(memory.try_eval(number::call(n)).unwrap(), n + 1));
    let program = child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]);
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o"]).arg(log.path()).arg(program.get_program()).args(program.get_args());
    strace.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = strace.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let log = fs::read_to_string(log.path()).unwrap();
    let calls: Vec<_> = log.lines().skip_while(|line| !line.contains("puts begin")).collect();
    let calls = calls.split(|line| line.contains("puts end")).next().unwrap();
    let count = |name: &str| calls.iter().filter(|line| line.contains(name)).count();
    assert!(count("rename") >= 50, "each of 50 puts renames its record: {}", calls.len());
    assert_eq!(count("getdents"), 0, "{calls:#?}");
}
