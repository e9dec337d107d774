//! Several at once.

use super::*;
use crate::store::disk::TRIES;

/// Ends the loops of the other threads, however this one ends.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_reader_sees_the_old_blob_or_the_new_one_whole() {
    let (_folder, disk) = disk();
    let text = |n: u8| vec![n; 3000 + usize::from(n) * 10];
    disk.replace(RECORD, &text(0), Durability::Buffered).unwrap();
    let done = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let end = Done(&done);
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = 0;
                    while !done.load(Ordering::Relaxed) {
                        let bytes = get(&disk, RECORD).expect("it is never missing");
                        assert_eq!(bytes, text(bytes[0]));
                        seen += 1;
                    }
                    seen
                })
            })
            .collect();
        let writers: Vec<_> = (0..4_u8)
            .map(|writer| {
                let disk = &disk;
                scope.spawn(move || {
                    for n in 0..50 {
                        disk.replace(RECORD, &text(writer * 50 + n), Durability::Buffered).unwrap();
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        drop(end);
        readers.into_iter().map(|reader| reader.join().unwrap()).sum::<u32>()
    });
    assert!(seen > 0);
    assert_eq!(files(&disk), [RECORD]);
}

#[test]
fn one_of_many_creates_a_name() {
    let (_folder, disk) = disk();
    let created = std::thread::scope(|scope| {
        let create = || disk.create(ARRAY, 1).and_then(|blob| blob.finish(Durability::Buffered)).is_ok();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
        threads.into_iter().map(|thread| u32::from(thread.join().unwrap())).sum::<u32>()
    });
    assert_eq!(created, 1);
}

/// Sweeping takes folders away at the worst moment: between the making of one and the first file in it.
///
/// Each failed try of a put costs the sweeper a folder, and it may take fewer than a put has tries: one that never
/// rests would fall in step with the put on a busy machine, and win each time.
#[test]
fn a_put_survives_a_sweep_of_its_folders() {
    let (_folder, disk) = disk();
    for _ in 0..10 {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _end = Done(&done);
            scope.spawn(|| {
                let mut swept = 0;
                while swept < TRIES - 2 && !done.load(Ordering::Relaxed) {
                    let folders = ["f/a/b", "f/a"].map(|folder| disk.path_of(folder));
                    swept += folders.iter().filter(|folder| fs::remove_dir(folder).is_ok()).count();
                }
            });
            for _ in 0..30 {
                put(&disk, "f/a/b/c.npy", b"x");
                assert!(disk.remove("f/a/b/c.npy").unwrap());
                disk.replace("f/a/b/c.record", b"x", Durability::Buffered).unwrap();
                assert!(disk.remove("f/a/b/c.record").unwrap());
            }
        });
    }
}

#[test]
fn trees_are_removed_by_several_at_once() {
    let (_folder, disk) = disk();
    for n in 0..200 {
        put(&disk, &format!("f/a/{:02x}/{n:02x}.npy", n % 16), b"");
        put(&disk, &format!("f/a/{:02x}/{n:02x}.record", n % 16), b"");
    }
    let removed = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| disk.remove_tree("f").unwrap().records)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
    });
    assert_eq!(removed, 200);
    assert!(!disk.path_of("f").exists());
}
