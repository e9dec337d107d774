//! What goes to a tier, and what doesn't.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ndarray::Array1;
use ndcache::tier::{Access, Backend, Filter, Folder, Get, Put, Share, Tier};
use ndcache::{Entry, FileStamp, Memory, cache};

use super::proxy::{Flaw, Plan, Proxy};

#[cache]
fn waves(n: usize, seed: u64) -> Array1<f64> {
    std::thread::sleep(Duration::from_millis(250));
    Array1::from_shape_fn(n, |i| (i as f64).cos() * seed as f64)
}

#[cache]
fn waves_at_once(seed: u64) -> Array1<f64> {
    Array1::from_shape_fn(5000, |i| (i as f64).cos() * seed as f64)
}

#[cache]
fn size_of(file: FileStamp) -> u64 {
    let _ = file;
    1
}

#[cache(code = "build")]
fn of_build(n: u64) -> u64 {
    n
}

#[cache(expires = std::time::Duration::from_secs(30))]
fn short_lived(n: u64) -> u64 {
    n
}

#[cache]
fn greeted(name: &str, password: &str) -> String {
    format!("hello {name} {}", password.len())
}

fn flush(memory: &Memory) {
    let flushed = memory.flush(Duration::from_secs(60)).unwrap();
    assert_eq!((flushed.left, flushed.failed), (0, 0));
}

/// The copy in a folder of the list of what was purged from its one tier.
fn copy_of_deny_list(folder: &Path) -> PathBuf {
    let tiers = std::fs::read_dir(folder.join("t")).unwrap().map(|item| item.unwrap().path());
    tiers.filter(|path| !path.ends_with("x")).map(|path| path.join("deny")).next().unwrap()
}

/// Makes the copy of that list as old as it has to be to be renewed.
pub(super) fn let_ten_minutes_pass(folder: &Path) {
    let list = std::fs::File::options().write(true).open(copy_of_deny_list(folder)).unwrap();
    list.set_modified(SystemTime::now() - Duration::from_secs(601)).unwrap();
}

#[test]
fn arrays_go_before_their_record_and_putting_twice_is_one_object() {
    let proxy = Proxy::new();
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&one, &other] {
        let memory = proxy.memory(folder.path());
        memory.eval(waves::call(10_000, 2));
        flush(&memory);
    }
    let names = proxy.objects.names();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(proxy.count("put .record"), 1);
    assert_eq!(proxy.count("put .npy"), 1);
}

#[test]
fn what_a_process_leaves_goes_with_the_next_one() {
    let proxy = Proxy::new();
    let folder = tempfile::tempdir().unwrap();
    // The tier refuses everything, since the thread that sends might be quicker than the end of the memory.
    proxy.plan(Some(Plan { flaw: Flaw::Busy, request: "put", always: true }));
    let memory = proxy.memory(folder.path());
    memory.eval(waves::call(10_000, 3));
    drop(memory);
    assert_eq!(proxy.objects.names(), Vec::<String>::new());
    proxy.plan(None);
    flush(&proxy.memory(folder.path()));
    assert_eq!(proxy.objects.names().len(), 2);
}

#[test]
fn what_means_nothing_elsewhere_is_not_sent() {
    let proxy = Proxy::new();
    let folder = tempfile::tempdir().unwrap();
    let memory = proxy.memory(folder.path());
    memory.eval(size_of::call(FileStamp::open(folder.path().join("locks")).unwrap()));
    memory.eval(of_build::call(1));
    memory.eval(short_lived::call(1));
    flush(&memory);
    assert_eq!(proxy.objects.names(), Vec::<String>::new());
    assert_eq!(proxy.count("get .record"), 1, "files by their stamps and builds are asked for");
    let plain = Memory::open(folder.path()).unwrap();
    let mut edited = plain.mmap_mut(waves::call(10_000, 4)).unwrap();
    edited[0] = 5.0;
    edited.commit().unwrap();
    // A push by hand doesn't send them either.
    let pushed = memory.push(&Filter::default()).unwrap();
    assert_eq!((pushed.moved, pushed.skipped), (0, 4));
    assert_eq!(proxy.objects.names(), Vec::<String>::new());
}

#[test]
fn limits_of_a_tier_hold() {
    let proxy = Proxy::new();
    let folder = tempfile::tempdir().unwrap();
    let tier = Tier::new(proxy.clone()).access(Access::ReadWrite);
    let memory = Memory::builder(folder.path()).tier(tier.clone().min_duration(Duration::from_secs(3))).open().unwrap();
    memory.eval(waves::call(10_000, 5));
    flush(&memory);
    let memory = Memory::builder(folder.path()).tier(tier.max_bytes(1000)).open().unwrap();
    memory.eval(waves::call(10_000, 6));
    flush(&memory);
    assert!(proxy.objects.names().is_empty());
}

#[test]
fn texts_and_hosts_go_to_folders_alone_unless_they_are_asked_for() {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let all = |proxy: &Proxy| {
        let until = ndcache::tier::Deadline::after(Duration::from_secs(9));
        let mut all = Vec::new();
        for name in proxy.objects.names() {
            all.extend_from_slice(name.as_bytes());
            proxy.objects.get(&Get::new(&name, u64::MAX, until), &mut all).unwrap();
        }
        all
    };
    let holds = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    for told in [false, true] {
        let (proxy, folder) = (Proxy::new(), tempfile::tempdir().unwrap());
        let tier = Tier::new(proxy.clone()).access(Access::ReadWrite);
        let tier = if told { tier.texts(true).host(true) } else { tier };
        let memory = Memory::builder(folder.path()).tier(tier).open().unwrap();
        memory.eval(greeted::call("a-person", "hunter2-hunter2"));
        flush(&memory);
        let sent = all(&proxy);
        assert_eq!(holds(&sent, "hunter2-hunter2"), told);
        assert_eq!(holds(&sent, &host), told, "host");
    }
    let (team, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let tier = Tier::new(Folder::new(team.path()).unwrap()).access(Access::ReadWrite).share(Share::Any);
    let memory = Memory::builder(folder.path()).tier(tier).open().unwrap();
    memory.eval(greeted::call("a-person", "hunter2-hunter2"));
    flush(&memory);
    // The place is a cache folder.
    let shared = Memory::inspect(team.path()).unwrap();
    let entry = shared.entries().next().unwrap().unwrap();
    assert_eq!(entry.arguments()[1].text(), "\"hunter2-hunter2\"");
    assert!(shared.verify(ndcache::verify::Repair::No).unwrap().is_intact());
}

#[test]
fn nothing_is_sent_from_a_folder_that_anybody_may_write_to() {
    use std::os::unix::fs::PermissionsExt;
    let (proxy, folder) = (Proxy::new(), tempfile::tempdir().unwrap());
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let memory = proxy.memory(folder.path());
    memory.eval(waves::call(10_000, 7));
    assert_eq!(memory.flush(Duration::from_secs(5)).unwrap().left, 0);
    assert_eq!(proxy.count("put"), 0);
    assert_eq!(memory.push(&Filter::default()).unwrap().moved, 0);
    assert_eq!(proxy.count("put"), 0);
}

#[test]
fn a_tier_that_may_not_be_written_keeps_its_queue_and_is_read() {
    let (proxy, folder, other) = (Proxy::new(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let memory = proxy.memory(folder.path());
    proxy.plan(Some(Plan { flaw: Flaw::Denied, request: "put", always: true }));
    memory.eval(waves::call(10_000, 8));
    let flushed = memory.flush(Duration::from_secs(5)).unwrap();
    assert_eq!((flushed.uploaded, flushed.left), (0, 1));
    assert_eq!(memory.stats().by_tier()[&proxy.place()].errors["denied"], 1);
    drop(memory);
    proxy.plan(None);
    flush(&proxy.memory(folder.path()));
    assert_eq!(proxy.objects.names().len(), 2);
    let memory = proxy.memory(other.path());
    memory.eval(waves::call(10_000, 8));
    assert_eq!(memory.stats().misses(), 0);
}

#[test]
fn what_is_there_can_be_pushed_and_pulled() {
    let (proxy, one, other) = (Proxy::new(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let plain = Memory::open(one.path()).unwrap();
    for seed in 0..5 {
        plain.eval(waves::call(9000, seed));
    }
    plain.eval(greeted::call("x", "y"));
    let memory = proxy.memory(one.path());
    let function = Some(waves::function().path().to_owned());
    let filter = Filter { function, ..Filter::default() };
    let pushed = memory.push(&filter).unwrap();
    assert_eq!((pushed.moved, pushed.there, pushed.skipped, pushed.failed), (5, 0, 0, 0));
    assert_eq!(memory.push(&filter).unwrap().there, 5);
    let memory = proxy.open(other.path(), Access::ReadOnly);
    let pulled = memory.pull(&Filter::default()).unwrap();
    assert_eq!((pulled.moved, pulled.there, pulled.failed), (5, 0, 0));
    assert_eq!(memory.pull(&Filter::default()).unwrap().there, 5);
    for seed in 0..5 {
        assert!(memory.contains(&waves::call(9000, seed)));
    }
}

#[test]
fn a_result_that_replaces_another_is_the_one_that_is_sent() {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    #[cache]
    fn counted() -> Array1<u64> {
        Array1::from_elem(5000, COUNT.fetch_add(1, Ordering::SeqCst))
    }
    let (proxy, one) = (Proxy::new(), tempfile::tempdir().unwrap());
    let memory = proxy.memory(one.path());
    memory.eval(counted::call());
    for _ in 0..10 {
        flush(&memory);
        let refreshed = memory.refresh(counted::call());
        flush(&memory);
        let other = tempfile::tempdir().unwrap();
        let there = proxy.open(other.path(), Access::ReadOnly);
        there.pull(&Filter::default()).unwrap();
        assert_eq!(there.get(&counted::call()), Some(refreshed));
    }
}

#[test]
fn what_is_removed_at_once_does_not_come_back() {
    let (proxy, one) = (Proxy::new(), tempfile::tempdir().unwrap());
    let memory = proxy.memory(one.path());
    for n in 0..60 {
        memory.eval(waves_at_once::call(n));
        flush(&memory);
        memory.refresh(waves_at_once::call(n));
        assert!(memory.remove(&waves_at_once::call(n)).unwrap());
        flush(&memory);
        assert_eq!(memory.pull(&Filter::default()).unwrap().moved, 0, "{n}");
    }
}

#[test]
fn what_comes_by_hand_replaces_nothing_that_was_stored_meanwhile() {
    let (mut proxy, one, other) = (Proxy::new(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let memory = proxy.memory(one.path());
    memory.eval(waves_at_once::call(1));
    flush(&memory);
    proxy.latency = Duration::from_millis(400);
    let memory = proxy.open(other.path(), Access::ReadOnly);
    let plain = Memory::open(other.path()).unwrap();
    std::thread::scope(|scope| {
        let pulling = scope.spawn(|| memory.pull(&Filter::default()).unwrap());
        std::thread::sleep(Duration::from_millis(600));
        let mut edited = plain.mmap_mut(waves_at_once::call(1)).unwrap();
        edited[0] = -17.0;
        edited.commit().unwrap();
        assert_eq!(pulling.join().unwrap().moved, 0);
    });
    assert_eq!(Memory::open(other.path()).unwrap().eval(waves_at_once::call(1))[0], -17.0);
}

#[test]
fn what_is_removed_here_does_not_come_back_and_the_next_result_takes_its_place() {
    type Remove = fn(&Memory) -> bool;
    fn listed(memory: &Memory) -> Entry {
        memory.entries().next().unwrap().unwrap()
    }
    let removals: [(&str, Remove); 6] = [
        ("remove", |memory| memory.remove(&waves::call(9000, 1)).unwrap()),
        ("clear_function", |memory| memory.clear_function(waves::function()).unwrap().items == 1),
        ("clear", |memory| memory.clear().unwrap().items == 1),
        ("remove_entry", |memory| memory.remove_entry(listed(memory)).unwrap()),
        ("clear_function_named", |memory| memory.clear_function_named(waves::function().path()).unwrap().items == 1),
        ("execute", |memory| {
            let plan = memory.plan_removal([listed(memory)]).unwrap();
            memory.execute(&plan).unwrap().removed.items == 1
        }),
    ];
    for (how, remove) in removals {
        let (proxy, one, other) = (Proxy::new(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let memory = proxy.memory(one.path());
        memory.eval(waves::call(9000, 1));
        flush(&memory);
        // By a memory that knows nothing of tiers, too.
        let plain = Memory::open(one.path()).unwrap();
        assert!(remove(if how == "remove" { &plain } else { &memory }), "{how}");
        if how == "remove" {
            // What another memory removes is seen within a second.
            std::thread::sleep(Duration::from_millis(1100));
        }
        assert_eq!(memory.pull(&Filter::default()).unwrap().moved, 0, "{how}: it came back by hand");
        memory.eval(waves::call(9000, 1));
        assert_eq!(memory.stats().misses(), 2, "{how}: it came back");
        assert!(memory.stats().by_tier()[&proxy.place()].stale == 1, "{how}");
        flush(&memory);
        assert_eq!(proxy.count("put .record"), 2, "{how}: it isn't replaced");
        // Another machine has removed nothing.
        let memory = proxy.memory(other.path());
        memory.eval(waves::call(9000, 1));
        assert_eq!(memory.stats().misses(), 0, "{how}");
    }
}

#[test]
fn nothing_is_served_while_it_can_not_be_told_what_was_purged() {
    let (proxy, one, other) = (Proxy::new(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let memory = proxy.memory(one.path());
    memory.eval(waves::call(9000, 1));
    flush(&memory);
    let memory = proxy.memory(other.path());
    let list = copy_of_deny_list(other.path());
    std::fs::File::create(&list).unwrap().set_len(1 << 30).unwrap();
    memory.eval(waves::call(9000, 1));
    assert_eq!((memory.stats().misses(), memory.stats().by_tier()[&proxy.place()].hits), (1, 0));
    memory.remove(&waves::call(9000, 1)).unwrap();
    std::fs::remove_dir_all(other.path().join("t/x")).unwrap();
    std::fs::remove_file(&list).unwrap();
    memory.eval(waves::call(9000, 1));
    assert_eq!(memory.stats().by_tier()[&proxy.place()].hits, 1);
}

#[test]
fn what_is_purged_is_served_nowhere_ten_minutes_later() {
    let proxy = Proxy::new();
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let memories: Vec<_> = folders.iter().map(|folder| proxy.memory(folder.path())).collect();
    for memory in &memories {
        for seed in 0..10 {
            memory.eval(waves::call(5000, seed));
        }
        memory.eval(greeted::call("stays", ""));
    }
    // The first machine has sent all that it had.
    flush(&memories[0]);
    let filter = Filter { function: Some(waves::function().path().to_owned()), ..Filter::default() };
    let purged = memories[0].purge(&filter).unwrap();
    assert_eq!((purged.here, purged.there, purged.tiers), (10, 10, 1));
    drop(memories);
    for folder in &folders {
        let_ten_minutes_pass(folder.path());
        let memory = proxy.memory(folder.path());
        for seed in 0..10 {
            assert!(!memory.contains(&waves::call(5000, seed)));
        }
        assert!(memory.contains(&greeted::call("stays", "")));
        flush(&memory);
        assert!(!proxy.objects.names().iter().any(|name| name.contains("waves") && name.ends_with(".record")));
    }
    // Results that are computed after the purge are good.
    let memory = proxy.memory(folders[0].path());
    memory.eval(waves::call(5000, 1));
    flush(&memory);
    let memory = proxy.memory(folders[1].path());
    memory.eval(waves::call(5000, 1));
    assert_eq!(memory.stats().misses(), 0);
}

fn nanoseconds(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

/// Listing failed once, and the purge was held to be applied: what it named was served ever after.
#[test]
fn a_purge_that_could_not_be_applied_serves_nothing_and_is_applied_later() {
    let proxy = Proxy::new();
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (wrong, here) = (proxy.memory(one.path()), proxy.memory(other.path()));
    wrong.eval(waves_at_once::call(1));
    here.eval(waves_at_once::call(1));
    flush(&here);
    drop((wrong, here));
    put_deny_list(&proxy, format!("{} all\n", nanoseconds(SystemTime::now())));
    let (list, functions, away) =
        (copy_of_deny_list(other.path()), other.path().join("f"), other.path().join("f.away"));
    let_ten_minutes_pass(other.path());
    std::fs::rename(&functions, &away).unwrap();
    std::fs::create_dir(&functions).unwrap();
    std::os::unix::fs::symlink("nowhere", functions.join("unlistable")).unwrap();
    let memory = proxy.memory(other.path());
    assert_eq!(memory.pull(&Filter::default()).unwrap().moved, 0, "it came back from the tier");
    drop(memory);
    std::fs::remove_dir_all(&functions).unwrap();
    std::fs::rename(&away, &functions).unwrap();
    let memory = proxy.memory(other.path());
    assert!(!memory.contains(&waves_at_once::call(1)), "it is still served");
    assert!(std::fs::metadata(&list).unwrap().modified().unwrap().elapsed().unwrap() < Duration::from_secs(60));
}

/// A purge says if it couldn't be applied to this folder, so that the user can repeat it.
#[test]
fn a_purge_says_what_stays_here() {
    let (proxy, folder) = (Proxy::new(), tempfile::tempdir().unwrap());
    let memory = proxy.memory(folder.path());
    memory.eval(waves_at_once::call(2));
    flush(&memory);
    let (functions, away) = (folder.path().join("f"), folder.path().join("f.away"));
    std::fs::rename(&functions, &away).unwrap();
    std::os::unix::fs::symlink(&away, &functions).unwrap();
    let error = memory.purge(&Filter::default()).unwrap_err();
    assert!(error.to_string().contains("symbolic link"), "{error}");
    std::fs::remove_file(&functions).unwrap();
    std::fs::rename(&away, &functions).unwrap();
    assert_eq!(memory.purge(&Filter::default()).unwrap().here, 1);
}

#[test]
fn the_environment_names_tiers() {
    let (folder, team) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let run = |remote: &str, share: &str| {
        let test = std::env::current_exe().unwrap();
        let mut command = std::process::Command::new(test);
        command.args(["--exact", "tiers::writing::opened_by_the_environment", "writing::opened_by_the_environment"]);
        command.arg("--nocapture").env("NDCACHE_TEST_FOLDER", folder.path());
        command.env("NDCACHE_REMOTE", remote).env("NDCACHE_REMOTE_SHARE", share).env("NDCACHE_REMOTE_WAIT", "30");
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    let team = team.path().display();
    let output = run(&format!("rw:{team},/nowhere/at/all"), "zen4");
    assert!(output.contains("opened with 2 tiers"), "{output}");
    assert!(std::fs::read_dir(format!("{team}/zen4/f")).unwrap().count() == 1, "{output}");
    let output = run("weird://bucket/x", "any");
    assert!(output.contains("`NDCACHE_REMOTE`") && output.contains("weird"), "{output}");
    let output = run(&format!("{team}"), "a/b");
    assert!(output.contains("`NDCACHE_REMOTE_SHARE`"), "{output}");
}

/// Run by the test above, in a process of its own.
#[test]
fn opened_by_the_environment() {
    let Some(folder) = std::env::var_os("NDCACHE_TEST_FOLDER") else { return };
    match Memory::from_env(folder) {
        Ok(memory) => {
            memory.eval(waves::call(3000, 77));
            println!("opened with {} tiers", memory.settings().tiers.len());
        }
        Err(error) => println!("{error}"),
    }
}

fn put_deny_list(proxy: &Proxy, text: String) {
    let until = ndcache::tier::Deadline::after(Duration::from_secs(9));
    proxy.objects.put(&Put::new("deny", until), &text.into_bytes()).unwrap();
}

#[test]
fn a_purge_of_a_clock_that_is_ahead_ends_and_can_be_lifted() {
    let (proxy, one, other) = (Proxy::new(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let future = SystemTime::now() + Duration::from_secs(10 * 365 * 86_400);
    put_deny_list(&proxy, format!("{} all\n", nanoseconds(future)));
    let memory = proxy.memory(one.path());
    let purges = memory.tiers()[0].purges.clone();
    assert_eq!((purges.len(), &*purges[0].what), (1, "all"));
    assert!(purges[0].until < SystemTime::now() + Duration::from_secs(900), "ten minutes by the clock of the place");
    // What is computed now is no good before that; whoever lifts it has it good at once.
    memory.eval(waves::call(5000, 41));
    flush(&memory);
    assert_eq!(proxy.count("put .record"), 0);
    assert_eq!((memory.lift_purge(Some("all")).unwrap(), memory.lift_purge(None).unwrap()), (1, 0));
    assert_eq!(memory.tiers()[0].purges, []);
    assert_eq!(memory.push(&Filter::default()).unwrap().moved, 1);
    let memory = proxy.memory(other.path());
    memory.eval(waves::call(5000, 41));
    assert_eq!((memory.stats().misses(), memory.tiers()[0].purges.len()), (0, 0));
    // A purge that comes later takes effect.
    let purged = memory.purge(&Filter::default()).unwrap();
    assert_eq!((purged.here, purged.there), (1, 1));
    assert_eq!(memory.tiers()[0].purges.len(), 1);
}

#[test]
fn the_purges_of_one_tier_are_nothing_to_a_memory_without_it() {
    let (team, main, one) = (Proxy::new(), Proxy::new(), tempfile::tempdir().unwrap());
    let other = tempfile::tempdir().unwrap();
    let memory = main.memory(one.path());
    memory.eval(waves::call(5000, 51));
    flush(&memory);
    team.memory(other.path()).purge(&Filter::default()).unwrap();
    let memory = main.memory(other.path());
    memory.eval(waves::call(5000, 51));
    assert_eq!(memory.stats().misses(), 0, "{}", memory.explain(&waves::call(5000, 51)));
}
