//! What URLs and options mean, and what is refused of them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use ndcache::tier::{Backend, Credentials, Deadline, Fault, Get, ObjectStore, Put};

use crate::proxy::{Action, Proxy};
use crate::servers::{Kind, Server, free_port};

/// Options of a store.
type Said<'a> = &'a [(&'a str, &'a str)];

fn place(url: &str, options: Said<'_>) -> String {
    match ObjectStore::with(url, options.iter().map(|(key, value)| (*key, *value))) {
        Ok(store) => store.place(),
        Err(error) => format!("refused: {error}"),
    }
}

const LOCAL: [(&str, &str); 4] = [
    ("endpoint", "http://127.0.0.1:9000/"),
    ("allow_http", "true"),
    ("access_key_id", "an id"),
    ("secret_access_key", "a secret"),
];

#[test]
fn a_place_names_the_bucket_the_folder_and_the_server() {
    assert_eq!(place("s3://bucket/a/b/", &LOCAL), "s3://bucket/a/b at http://127.0.0.1:9000");
    assert_eq!(place("s3://bucket", &LOCAL), "s3://bucket at http://127.0.0.1:9000");
    let region = [("region", "eu-central-1")];
    assert_eq!(place("s3://bucket/a", &region), "s3://bucket/a at https://s3.eu-central-1.amazonaws.com");
    assert_eq!(place("gs://bucket/a", &[]), "gs://bucket/a at https://storage.googleapis.com");
    let account = [("account_name", "team")];
    assert_eq!(place("az://container/a", &account), "az://container/a at https://team.blob.core.windows.net");
    assert_eq!(place("https://server:8443/a/b", &[]), "https://server:8443/a/b at https://server:8443");
    assert_eq!(place("HTTP://Server/a", &[]), "http://server/a at http://server");
    assert_eq!(place("memory:///a", &[]), "memory:a");
}

#[test]
fn one_url_of_memory_is_one_place() {
    let until = Deadline::after(Duration::from_secs(10));
    ObjectStore::new("memory:///one place").unwrap().put(&Put::new("a", until), &b"x".to_vec()).unwrap();
    let mut out = Vec::new();
    ObjectStore::new("memory:///one place").unwrap().get(&Get::new("a", 9, until), &mut out).unwrap();
    assert_eq!(out, b"x");
    let other = ObjectStore::new("memory:///another").unwrap().get(&Get::new("a", 9, until), &mut out);
    assert!(matches!(other, Err(Fault::Absent)), "{other:?}");
}

#[test]
fn two_servers_with_buckets_of_one_name_are_two_places() {
    let other = [("endpoint", "http://127.0.0.1:9001"), ("allow_http", "true")];
    assert_ne!(place("s3://bucket/a", &LOCAL), place("s3://bucket/a", &other));
}

#[test]
fn what_is_wrong_of_a_url_or_an_option_is_an_error_that_says_so() {
    let cases: [(&str, Said<'_>, &str); 10] = [
        ("bucket/a", &[], "`s3://bucket/folder`"),
        ("ftp://server/a", &[], "`ftp`"),
        ("", &[], "expected one of"),
        ("s3://", &[], "expected one of"),
        ("s3://bucket/a", &[("no_such_option", "1")], "the option `no_such_option` isn't known"),
        ("s3://bucket/a", &[("pool_idle_timeout", "1s")], "the option `pool_idle_timeout` isn't known"),
        (
            "s3://bucket/a",
            &[("endpoint", "http://127.0.0.1:9000")],
            "isn't encrypted: expected `https`, or `AWS_ALLOW_HTTP=true`",
        ),
        ("s3://bucket/a", &[("endpoint", "127.0.0.1:9000")], "isn't the URL of a server"),
        ("https://server/a?b", &[], "has a `?`"),
        ("https://server/a", &[("endpoint", "x")], "the option `endpoint` isn't known"),
    ];
    for (url, options, said) in cases {
        let place = place(url, options);
        assert!(place.starts_with("refused: ") && place.contains(said), "`{url}`: {place}");
    }
}

#[test]
fn what_is_secret_of_a_url_or_an_option_is_not_repeated() {
    let cases: [(&str, Said<'_>); 8] = [
        ("s3://id:hunter2@bucket/a", &[]),
        ("s3://hunter2@bucket/a", &[]),
        ("https://account.blob.core.windows.net/a?sig=hunter2", &[]),
        ("https://server/a#hunter2", &[]),
        ("https://user:hunter2@[oops/a", &[]),
        ("s3://bucket/a", &[("endpoint", "https://user:hunter2@server")]),
        ("az://container/a", &[("account_name", "team"), ("account_key", "hunter2 hunter2")]),
        ("gs://bucket/a", &[("service_account_key", "{\"private_key\": \"hunter2\"")]),
    ];
    for (url, options) in cases {
        let place = place(url, options);
        assert!(!place.contains("hunter2"), "{place}");
    }
    let store = ObjectStore::new("https://user:hunter2@server/a").unwrap();
    assert_eq!(store.place(), "https://server/a at https://server");
    assert_eq!(format!("{store:?}"), "ObjectStore(https://server/a at https://server)");
}

/// What the environment says, a process of its own is told.
#[test]
fn a_store_is_asked_to_encrypt_each_object_if_the_environment_or_an_option_says_so() {
    const CHILD: &str = "NDCACHE_REMOTE_AT_REST";
    const SAID: [(&str, &str); 2] = [("server_side_encryption", "aws:kms"), ("sse_kms_key_id", "a-key")];
    let put = |port: &str, more: Said<'_>| {
        let endpoint = format!("http://127.0.0.1:{port}");
        let options = LOCAL.into_iter().chain([("endpoint", endpoint.as_str())]).chain(more.iter().copied());
        let until = Deadline::after(Duration::from_secs(10));
        ObjectStore::with("s3://ndc/a", options).unwrap().put(&Put::new("object", until), &b"x".to_vec()).unwrap();
    };
    if let Ok(port) = std::env::var(CHILD) {
        return put(&port, &[]);
    }
    let proxy = Proxy::before(1, |_, _| Action::Answer(200, "ETag: \"1\"\r\n".to_owned(), String::new()));
    let port = proxy.port.to_string();
    put(&port, &[]);
    put(&port, &SAID);
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([
        "--exact",
        "places::a_store_is_asked_to_encrypt_each_object_if_the_environment_or_an_option_says_so",
        "--nocapture",
    ]);
    child.envs(SAID.map(|(key, value)| (format!("AWS_{}", key.to_ascii_uppercase()), value))).env(CHILD, &port);
    let output = child.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    let asked = proxy.seen().into_iter().map(|request| {
        let head = request.head.to_ascii_lowercase();
        let lines = head.lines().filter(|line| line.starts_with("x-amz-server-side-encryption"));
        let mut lines: Vec<_> = lines.map(str::to_owned).collect();
        lines.sort();
        lines.join(", ")
    });
    let said = "x-amz-server-side-encryption-aws-kms-key-id: a-key, x-amz-server-side-encryption: aws:kms";
    assert_eq!(asked.collect::<Vec<_>>(), ["", said, said]);
}

/// Credentials are asked for once while they last, again when they end, and not once more while an answer is still to
/// come.
#[test]
fn credentials_are_asked_for_when_there_are_none() {
    let Some(server) = Server::of(Kind::Nginx) else { return };
    let asked = Arc::new(AtomicUsize::new(0));
    let get = |store: &ObjectStore, millis| {
        let until = Deadline::after(Duration::from_millis(millis));
        store.get(&Get::new("no object", 1, until), &mut Vec::new()).map(drop)
    };
    let count = |expires: Option<Duration>| {
        let asked = Arc::clone(&asked);
        move || {
            asked.fetch_add(1, Ordering::SeqCst);
            let credentials = Credentials::bearer("a token");
            Ok(expires.into_iter().fold(credentials, |some, left| some.expires(SystemTime::now() + left)))
        }
    };
    for (expires, times) in [(None, 1), (Some(Duration::from_secs(60)), 1), (Some(Duration::from_secs(1)), 3)] {
        asked.store(0, Ordering::SeqCst);
        let store = server.store("a").credentials(count(expires));
        (0..3).for_each(|_| assert!(matches!(get(&store, 10_000), Err(Fault::Absent))));
        assert_eq!(asked.load(Ordering::SeqCst), times, "{expires:?}");
    }
    asked.store(0, Ordering::SeqCst);
    let (release, held) = channel::<()>();
    let (held, counted) = (Mutex::new(held), count(None));
    let store = server.store("a").credentials(move || {
        let _ = held.lock().unwrap().recv();
        counted()
    });
    (0..3).for_each(|_| assert!(matches!(get(&store, 50), Err(Fault::Late))));
    release.send(()).unwrap();
    assert!(matches!(get(&store, 10_000), Err(Fault::Absent)));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

/// Without credentials, the store isn't asked at all.
#[test]
fn without_credentials_access_is_denied_and_nothing_is_sent() {
    let Some(server) = Server::of(Kind::Moto) else { return };
    let proxy = Proxy::before(server.port, |_, _| Action::Pass);
    let options = [("endpoint", format!("http://127.0.0.1:{}", proxy.port)), ("allow_http", "true".to_owned())];
    let of = |source: fn() -> Result<Credentials, Box<dyn std::error::Error + Send + Sync>>| {
        ObjectStore::with("s3://ndc/a", options.clone()).unwrap().credentials(source)
    };
    let nobody = ("metadata_endpoint", format!("http://127.0.0.1:{}", free_port()));
    let stores = [
        of(|| Err("none today".into())),
        of(|| panic!("on purpose")),
        of(|| Ok(Credentials::basic("a user", "of another kind of store"))),
        ObjectStore::with("s3://ndc/a", options.iter().cloned().chain([nobody])).unwrap(),
    ];
    for store in stores {
        let until = Deadline::after(Duration::from_secs(10));
        let got = store.get(&Get::new("object", 1, until), &mut Vec::new());
        assert!(matches!(got, Err(Fault::Denied)), "{got:?}");
    }
    assert!(proxy.seen().is_empty());
}

/// A server that answers nobody; with `full`, one that takes no more connections, so that a packet sent to it is lost.
struct Silent {
    address: SocketAddr,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Silent {
    fn new(full: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        if full {
            rustix::net::listen(&listener, 1).unwrap();
            let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
            waiting.extend(std::iter::from_fn(connect).take(100));
            assert!(waiting.len() < 100, "it still takes connections");
        }
        Self { address, _listener: listener, _waiting: waiting }
    }
}

/// Whoever gives a machine its credentials may be as silent as a store.
#[test]
fn a_server_of_credentials_that_is_silent_or_full_is_waited_for_no_longer_than_the_deadline() {
    let Some(server) = Server::of(Kind::Moto) else { return };
    let proxy = Proxy::before(server.port, |_, _| Action::Pass);
    for full in [false, true] {
        let silent = Silent::new(full);
        let options = [
            ("endpoint", format!("http://127.0.0.1:{}", proxy.port)),
            ("allow_http", "true".to_owned()),
            ("metadata_endpoint", format!("http://{}", silent.address)),
        ];
        let store = ObjectStore::with("s3://ndc/a", options).unwrap();
        for _ in 0..3 {
            let begin = Instant::now();
            let until = Deadline::after(Duration::from_millis(400));
            let got = store.get(&Get::new("object", 1, until), &mut Vec::new());
            assert!(matches!(got, Err(Fault::Late)), "full: {full}: {got:?}");
            let put = store.put(&Put::new("object", Deadline::after(Duration::from_millis(400))), &vec![1]);
            assert!(matches!(put, Err(Fault::Late)), "full: {full}: {put:?}");
            assert!(begin.elapsed() < Duration::from_secs(8), "full: {full}: {:?}", begin.elapsed());
        }
        let begin = Instant::now();
        drop(store);
        assert!(begin.elapsed() < Duration::from_secs(5), "full: {full}: its end took {:?}", begin.elapsed());
    }
    assert!(proxy.seen().is_empty(), "the store was asked without credentials");
}
