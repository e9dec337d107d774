//! Faults of a server or a network are told by their class, in time, and no part of an object is taken for the whole.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ndcache::tier::{Backend, Deadline, Fault, Get, List, ObjectStore, Put};

use crate::proxy::{Action, Proxy};
use crate::servers::{BUCKET, Kind, Server, free_port};

/// The servers through whose proxies faults are tried.
const TRIED: [Kind; 2] = [Kind::Moto, Kind::Nginx];

const LEN: usize = 200_000;

fn object() -> Vec<u8> {
    (0..LEN).map(|i| (i % 251) as u8).collect()
}

fn until(millis: u64) -> Deadline {
    Deadline::after(Duration::from_millis(millis))
}

fn get(store: &ObjectStore, name: &str, millis: u64) -> (Result<Option<u64>, Fault>, Vec<u8>) {
    let mut out = Vec::new();
    let got = store.get(&Get::new(name, 1 << 20, until(millis)), &mut out);
    (got.map(|got| got.len), out)
}

/// A server with an object in a folder of its own: moto fails where two put one object at a time.
fn with_an_object(kind: Kind) -> Option<(&'static Server, String)> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let server = Server::of(kind)?;
    let below = format!("faults/{}", NEXT.fetch_add(1, Ordering::SeqCst));
    server.store(&below).put(&Put::new("object", until(60_000)), &object()).unwrap();
    Some((server, below))
}

/// A store with an object, behind a proxy that does something with the requests for it.
fn behind(kind: Kind, action: Action) -> Option<(Proxy, ObjectStore)> {
    let (server, below) = with_an_object(kind)?;
    let proxy = Proxy::before(server.port, move |_, _| action.clone());
    let store = server.store_behind(proxy.port, &below);
    Some((proxy, store))
}

fn class<T>(result: &Result<T, Fault>) -> &'static str {
    result.as_ref().map_or_else(Fault::class, |_| "none")
}

#[test]
fn what_is_no_success_is_told_by_its_class() {
    let said = |status: u16, code: &str| {
        Action::Answer(status, String::new(), format!("<Error><Code>{code}</Code><Message>no</Message></Error>"))
    };
    let cases = [
        (said(404, "NoSuchKey"), "absent", "absent"),
        (said(404, "NoSuchBucket"), "no place", "no place"),
        (said(403, "AccessDenied"), "denied", "denied"),
        (said(401, ""), "denied", "denied"),
        (said(400, "ExpiredToken"), "denied", "denied"),
        (said(403, "RequestTimeTooSkewed"), "other", "other"),
        (said(400, "AuthorizationHeaderMalformed"), "other", "other"),
        (said(301, "PermanentRedirect"), "other", "other"),
        (said(503, "SlowDown"), "busy", "busy"),
        (said(429, ""), "busy", "busy"),
        (said(502, ""), "busy", "busy"),
        (said(500, "InternalError"), "other", "other"),
        (said(408, ""), "late", "late"),
        (said(501, "NotImplemented"), "unsupported", "unsupported"),
        (Action::Cut(1000), "other", "other"),
        (Action::Reset, "other", "other"),
        (Action::Garbage, "other", "other"),
        (Action::EndlessError, "other", "other"),
    ];
    for kind in TRIED {
        for (action, of_s3, of_http) in &cases {
            let Some((_proxy, store)) = behind(kind, action.clone()) else { continue };
            let (got, out) = get(&store, "object", 10_000);
            let expected = if kind == Kind::Nginx { of_http } else { of_s3 };
            assert_eq!(class(&got), *expected, "{kind:?}, {action:?}: {got:?}");
            assert!(out == object()[..out.len()], "{kind:?}, {action:?}");
        }
    }
}

#[test]
fn a_busy_server_says_how_long() {
    for (header, wait) in [("Retry-After: 7\r\n", Some(7)), ("Retry-After: 999999999\r\n", Some(3600)), ("", None)] {
        let action = Action::Answer(503, header.to_owned(), String::new());
        let Some((proxy, store)) = behind(Kind::Nginx, action) else { return };
        let (got, _) = get(&store, "object", 10_000);
        assert!(matches!(&got, Err(Fault::Busy(said)) if *said == wait.map(Duration::from_secs)), "{got:?}");
        assert_eq!(proxy.methods(), "GET", "it isn't asked again");
    }
}

#[test]
fn nothing_is_waited_for_longer_than_the_deadline() {
    let slow = [
        Action::Hole,
        Action::Stall(0),
        Action::Stall(100_000),
        Action::Drip(100),
        Action::Delay(Duration::from_secs(20)),
        Action::Endless("Content-Length: 99999999999\r\n"),
    ];
    for kind in TRIED {
        for action in &slow {
            let Some((_proxy, store)) = behind(kind, action.clone()) else { continue };
            let begin = Instant::now();
            let mut out = io::sink();
            let got = store.get(&Get::new("object", u64::MAX, until(400)), &mut out);
            assert!(matches!(got, Err(Fault::Late)), "{kind:?}, {action:?}: {got:?}");
            let put = store.put(&Put::new("other", until(400)), &object());
            let may_come = matches!(action, Action::Drip(_) | Action::Endless(_) | Action::Stall(_));
            assert!(may_come || matches!(put, Err(Fault::Late)), "{kind:?}, {action:?}: {put:?}");
            assert!(begin.elapsed() < Duration::from_secs(4), "{kind:?}, {action:?}: {:?}", begin.elapsed());
        }
    }
}

#[test]
fn a_deadline_that_has_passed_is_late_at_once() {
    let Some((_proxy, store)) = behind(Kind::Nginx, Action::Pass) else { return };
    let begin = Instant::now();
    assert!(matches!(get(&store, "object", 0).0, Err(Fault::Late)));
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_refused_port_is_told_at_once_and_by_its_cause() {
    for kind in TRIED {
        let Some(server) = Server::of(kind) else { continue };
        let store = server.store_behind(free_port(), "a");
        let begin = Instant::now();
        let (got, _) = get(&store, "object", 60_000);
        assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
        let Err(Fault::Other(error)) = got else { panic!("{got:?}") };
        let cause = error.downcast_ref::<io::Error>().expect("an error of the connection").kind();
        assert_eq!(cause, io::ErrorKind::ConnectionRefused, "{error}");
        assert!(error.to_string().starts_with("can't connect to `http://127.0.0.1:"), "{error}");
    }
}

#[test]
fn a_host_without_an_address_is_told() {
    let store = ObjectStore::new("http://no-such-host.invalid/a").unwrap();
    let (got, _) = get(&store, "object", 20_000);
    assert!(matches!(&got, Err(Fault::Other(_) | Fault::Late)), "{got:?}");
}

#[test]
fn an_answer_of_unknown_length_is_refused_and_none_is_held_in_memory() {
    let Some((_proxy, store)) = behind(Kind::Nginx, Action::Endless("")) else { return };
    let (got, out) = get(&store, "object", 10_000);
    assert!(got.is_err() && out.is_empty(), "{got:?}");
    // A listing is read as a whole: one that doesn't end is given up.
    let listed = store.list(&List::new("", until(60_000)), &mut |_| Ok(()));
    assert!(listed.is_err());
}

#[test]
fn a_reader_that_takes_less_is_not_sent_more() {
    let Some((_proxy, store)) = behind(Kind::Nginx, Action::Pass) else { return };
    let mut out = Vec::new();
    let got = store.get(&Get::new("object", 1000, until(10_000)), &mut out);
    assert!(got.is_err() && out.is_empty(), "{got:?}");
}

#[test]
fn a_server_without_ranges_gives_the_part_all_the_same() {
    for kind in TRIED {
        let Some((_proxy, store)) = behind(kind, Action::NoRanges) else { continue };
        let mut out = Vec::new();
        let got = store.get(&Get::new("object", 1, until(10_000)).range(1000..150_000), &mut out);
        assert!(got.is_ok() && out == object()[1000..150_000], "{kind:?}: {got:?}, {} bytes", out.len());
    }
}

#[test]
fn a_part_that_is_shorter_than_it_says_is_a_fault() {
    for kind in TRIED {
        let Some((_proxy, store)) = behind(kind, Action::Short) else { continue };
        let got = store.get(&Get::new("object", 1, until(10_000)).range(0..100), &mut Vec::new());
        assert!(matches!(got, Err(Fault::Other(_))), "{kind:?}: {got:?}");
    }
}

#[test]
fn a_redirection_of_a_server_of_http_is_followed_a_few_times() {
    let Some(server) = Server::of(Kind::Nginx) else { return };
    server.store("faults").put(&Put::new("object", until(60_000)), &object()).unwrap();
    let (to, port) = (server.port, server.port);
    let away = move |_: &crate::proxy::Request, _: usize| {
        Action::Answer(302, format!("Location: http://127.0.0.1:{to}/faults/object\r\n"), String::new())
    };
    let proxy = Proxy::before(port, away);
    let (got, out) = get(&server.store_behind(proxy.port, "faults"), "object", 10_000);
    assert!(got.is_ok() && out == object(), "{got:?}");

    let round =
        Proxy::before(port, |request, _| Action::Answer(302, format!("Location: {}\r\n", request.path), String::new()));
    let (got, _) = get(&server.store_behind(round.port, "faults"), "object", 10_000);
    assert!(matches!(got, Err(Fault::Other(_))), "{got:?}");
    assert!(round.seen().len() <= 5, "{}", round.seen().len());
}

/// An object that is missing and a bucket that is missing are different faults.
#[test]
fn a_missing_bucket_is_no_place() {
    for kind in [Kind::Ministack, Kind::Moto, Kind::S3rver, Kind::Azurite] {
        let Some(server) = Server::of(kind) else { continue };
        let url = server.url("a").replace(BUCKET, "missing");
        let store = ObjectStore::with(url, server.options(server.port)).unwrap();
        assert_eq!(class(&get(&store, "object", 10_000).0), "no place", "{kind:?}");
        let put = store.put(&Put::new("object", until(10_000)), &object());
        assert_eq!(class(&put), "no place", "{kind:?}: {put:?}");
        assert_eq!(class(&get(&server.store("a"), "missing", 10_000).0), "absent", "{kind:?}");
    }
}

/// A "not found" without a code may mean the bucket, so one object of the bucket is listed, once.
#[test]
fn a_not_found_that_says_no_more_is_looked_into_once() {
    let Some(server) = Server::of(Kind::Moto) else { return };
    let silent = Action::Answer(404, String::new(), String::new());
    let proxy =
        Proxy::before(
            server.port,
            move |request, _| {
                if request.path.contains("list-type") { Action::Pass } else { silent.clone() }
            },
        );
    let store = server.store_behind(proxy.port, "silent");
    for n in 0..3 {
        assert_eq!(class(&get(&store, "object", 10_000).0), "absent");
        assert_eq!(proxy.methods(), if n == 0 { "GET GET" } else { "GET" });
    }
    let missing = ObjectStore::with("s3://missing/a", server.options(proxy.port)).unwrap();
    assert_eq!(class(&get(&missing, "object", 10_000).0), "no place");
}

#[test]
fn a_miss_and_a_small_hit_are_one_request_each_on_one_connection() {
    for kind in [Kind::Ministack, Kind::Moto, Kind::Azurite, Kind::Nginx] {
        let Some((proxy, store)) = behind(kind, Action::Pass) else { continue };
        for _ in 0..5 {
            assert_eq!(class(&get(&store, "missing", 10_000).0), "absent", "{kind:?}");
            assert_eq!(proxy.methods(), "GET", "{kind:?}");
            assert!(get(&store, "object", 10_000).0.is_ok(), "{kind:?}");
            assert_eq!(proxy.methods(), "GET", "{kind:?}");
        }
        let asked = if kind == Kind::Nginx { ["OPTIONS PUT MOVE", "PUT MOVE"] } else { ["PUT"; 2] };
        for asked in asked {
            let put = store.put(&Put::new("object", until(10_000)), &object());
            assert!(put.is_ok(), "{kind:?}: {put:?}");
            assert_eq!(proxy.methods(), asked, "{kind:?}");
        }
        // One connection serves all requests, except where a server has closed it because the machine paused.
        let connections = proxy.connections.load(Ordering::SeqCst);
        assert!(connections <= 3, "{kind:?}: {connections} connections for 12 requests");
    }
}

/// On a server that doesn't know conditions, objects are put without one.
#[test]
fn a_server_that_refuses_conditions_is_asked_without() {
    let Some(server) = Server::of(Kind::Moto) else { return };
    let proxy = Proxy::before(server.port, |request, _| match request.head.to_ascii_lowercase() {
        head if head.contains("if-none-match") => {
            Action::Answer(501, String::new(), "<Error><Code>NotImplemented</Code></Error>".to_owned())
        }
        _ => Action::Pass,
    });
    let store = server.store_behind(proxy.port, "conditions");
    store.put(&Put::new("object", until(10_000)).if_absent(), &object()).unwrap();
    assert_eq!(proxy.methods(), "PUT PUT");
    assert!(get(&store, "object", 10_000).1 == object());
}

/// A flipped bit arrives: what reads from a tier verifies it.
#[test]
fn a_fault_of_one_request_is_none_of_the_next() {
    for kind in TRIED {
        for action in [Action::Cut(50_000), Action::Hole, Action::Reset, Action::Flip(70_000), Action::Stall(10)] {
            let Some((server, below)) = with_an_object(kind) else { continue };
            let once = action.clone();
            let proxy = Proxy::before(server.port, move |_, n| if n == 0 { once.clone() } else { Action::Pass });
            let store = server.store_behind(proxy.port, &below);
            let (first, out) = get(&store, "object", 500);
            assert!(first.is_err() || out != object(), "{kind:?}, {action:?}");
            let (second, out) = get(&store, "object", 10_000);
            assert!(second.is_ok() && out == object(), "{kind:?}, {action:?}: {second:?}");
        }
    }
}

/// After an upload that is cut off, the old object is still there.
#[test]
fn an_object_is_put_whole_or_not_at_all_when_the_connection_breaks() {
    for kind in [Kind::Moto, Kind::Azurite, Kind::Nginx] {
        let Some(server) = Server::of(kind) else { continue };
        let old = vec![1; 1000];
        let plain = server.store("broken");
        plain.put(&Put::new("object", until(60_000)), &old).unwrap();
        let proxy = Proxy::before(server.port, |_, n| if n % 2 == 1 { Action::Reset } else { Action::Pass });
        let store = server.store_behind(proxy.port, "broken");
        let put = store.put(&Put::new("object", until(60_000)), &vec![2; 20 << 20]);
        let (_, out) = get(&plain, "object", 10_000);
        let is_whole = if put.is_ok() { out.is_empty() || out == vec![2; 20 << 20] } else { out == old };
        assert!(is_whole || put.is_ok(), "{kind:?}: {put:?}, {} bytes", out.len());
    }
}
