//! Every store does what tiers need.

use std::time::Duration;

use ndcache::tier::{Backend, Body, Deadline, Fault, Get, ObjectStore, Put, conformance};

use crate::servers::{Kind, Server};

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(30))
}

fn conforms(kind: Kind) {
    let Some(server) = Server::of(kind) else { return };
    conformance(&server.store("a folder/of it")).unwrap();
    conformance(&server.store("")).unwrap();
}

#[test]
fn ministack_conforms() {
    conforms(Kind::Ministack);
}

#[test]
fn azurite_conforms() {
    conforms(Kind::Azurite);
}

#[test]
fn nginx_conforms() {
    conforms(Kind::Nginx);
}

/// Some servers fail themselves while one object is put in the place of another: whoever reads meanwhile gets a fault, or
/// bytes of both, which what reads from a tier finds out.
fn conforms_but_for_readers_of_what_is_replaced(kind: Kind) {
    let Some(server) = Server::of(kind) else { return };
    for below in ["a folder/of it", ""] {
        let Err(error) = conformance(&server.store(below)) else { continue };
        assert!(error.to_string().contains("`get` while others put"), "{kind:?}: {error}");
    }
}

/// Moto answers 500 at times.
#[test]
fn moto_conforms_but_for_readers_of_what_is_replaced() {
    conforms_but_for_readers_of_what_is_replaced(Kind::Moto);
}

/// It writes into the file that others are reading.
#[test]
fn s3rver_conforms_but_for_readers_of_what_is_replaced() {
    conforms_but_for_readers_of_what_is_replaced(Kind::S3rver);
}

/// It removes what is replaced before it renames, and gives the new object with the length of the old one.
#[test]
fn rclone_conforms_but_for_readers_of_what_is_replaced() {
    conforms_but_for_readers_of_what_is_replaced(Kind::Rclone);
}

#[test]
fn a_folder_and_the_memory_of_this_process_conform_by_their_urls() {
    let folder = tempfile::tempdir().unwrap();
    let by_url = ObjectStore::new(format!("file://{}", folder.path().display())).unwrap();
    conformance(&by_url).unwrap();
    assert_eq!(by_url.place(), folder.path().to_str().unwrap());
    conformance(&ObjectStore::new("memory:///a").unwrap()).unwrap();
}

/// Objects are put in several parts, and listings have several pages.
#[test]
fn objects_of_many_parts_and_folders_of_many_objects_come_back() {
    for kind in [Kind::Ministack, Kind::Azurite, Kind::Nginx] {
        let Some(server) = Server::of(kind) else { continue };
        let store = server.store("many");
        let large: Vec<u8> = (0..(41 << 20) + 7).map(|i: u32| (i % 251) as u8 ^ (i >> 20) as u8).collect();
        store.put(&Put::new("large", soon()), &large).unwrap();
        let mut back = Vec::new();
        let got = store.get(&Get::new("large", u64::MAX, soon()), &mut back).unwrap();
        assert!(back == large && got.len == Some(large.len() as u64), "{kind:?}");
        let again = store.put(&Put::new("large", soon()).if_absent(), &large);
        assert!(kind == Kind::Nginx || matches!(again, Err(Fault::Exists)), "{kind:?}: {again:?}");
        let (from, to) = (8 << 20, (33 << 20) + 1);
        let mut part = Vec::new();
        store.get(&Get::new("large", u64::MAX, soon()).range(from as u64..to as u64), &mut part).unwrap();
        assert!(part == large[from..to], "{kind:?}");
    }
}

/// A listing goes on where its page ended.
#[test]
fn a_listing_of_several_pages_is_whole() {
    for kind in [Kind::Ministack, Kind::Nginx] {
        let Some(server) = Server::of(kind) else { continue };
        let store = server.store("pages");
        let names: Vec<_> = (0..1003).map(|n| format!("f/{}/{n}", n % 7)).collect();
        let put = |name: &String| store.put(&Put::new(name, soon()), &b"x".to_vec()).is_ok();
        assert!(names.iter().all(put));
        let (mut found, mut token, mut pages) = (Vec::new(), None, 0);
        loop {
            let list = ndcache::tier::List::new("f", soon());
            let list = if let Some(token) = &token { list.after(token) } else { list };
            let each = &mut |one: ndcache::tier::Listed<'_>| {
                found.push(one.name.to_owned());
                assert!(one.len == 1 && one.modified.is_some());
                Ok(())
            };
            token = store.list(&list, each).unwrap();
            pages += 1;
            if token.is_none() {
                break;
            }
        }
        found.sort();
        let mut names = names;
        names.sort();
        assert!(found == names, "{kind:?}: {} of {}", found.len(), names.len());
        assert!(kind == Kind::Nginx || pages == 2, "{kind:?}: {pages}");
    }
}

/// Where conditions are had, one of many writers wins; where they aren't, the object is one of theirs.
#[test]
fn of_many_that_put_what_is_not_there_one_wins_where_the_server_can_tell() {
    for kind in [Kind::Ministack, Kind::Moto, Kind::S3rver, Kind::Azurite] {
        let Some(server) = Server::of(kind) else { continue };
        let store = server.store("race");
        let put = |n: u8| store.put(&Put::new("object", soon()).if_absent(), &vec![n; 5000]);
        let won = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || put(n).map(drop))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(Result::is_ok).count()
        });
        assert!(won == if kind == Kind::S3rver { 8 } else { 1 }, "{kind:?}: {won} have won");
        let mut object = Vec::new();
        store.get(&Get::new("object", 5000, soon()), &mut object).unwrap();
        assert!(object.len() == 5000 && object.iter().all(|byte| *byte == object[0]), "{kind:?}");
    }
}

/// A body may be longer than memory can hold.
#[test]
fn a_body_is_read_in_parts() {
    struct Counted(std::sync::atomic::AtomicUsize);
    impl Body for Counted {
        fn len(&self) -> u64 {
            64 << 20
        }

        fn read_at(&self, _: u64, buffer: &mut [u8]) -> std::io::Result<()> {
            self.0.fetch_max(buffer.len(), std::sync::atomic::Ordering::Relaxed);
            buffer.fill(7);
            Ok(())
        }
    }
    for kind in [Kind::Moto, Kind::Nginx] {
        let Some(server) = Server::of(kind) else { continue };
        let body = Counted(0.into());
        server.store("parts").put(&Put::new("long", soon()), &body).unwrap();
        assert!(body.0.into_inner() <= 8 << 20, "{kind:?}");
    }
}
