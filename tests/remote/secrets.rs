//! Secrets are sent to the server, and stand nowhere else: not in logs at `trace`, errors, `Debug`, places or objects.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ndcache::Memory;
use ndcache::tier::{Access, Backend, Credentials, Deadline, Fault, Filter, Get, List, ObjectStore, Put, Tier};

use crate::proxy::{Action, Proxy};
use crate::servers::{Kind, Server, free_port};

/// All that was logged, by `tracing` and by `log`.
static LOGGED: Mutex<String> = Mutex::new(String::new());

struct Log;

impl Log {
    fn add(text: fmt::Arguments<'_>) {
        let mut logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(logged, "{text}");
    }
}

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        Self::add(format_args!("{} {} {}", record.level(), record.target(), record.args()));
    }

    fn flush(&self) {}
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Self::add(format_args!("{}", String::from_utf8_lossy(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const WORD: &str = "hunter2";

fn secret(kind: &str) -> String {
    format!("{kind}-{WORD}")
}

/// The word as it is, and what has it inside in base64.
const FORMS: [&str; 4] = [WORD, "aHVudGVyM", "h1bnRlcj", "odW50ZXIy"];

/// Runs a test of this file in a process of its own, whose environment and log are the test's alone.
fn in_a_child(test: &str, variable: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(variable, "1");
    command.env("AWS_ACCESS_KEY_ID", secret("id")).env("AWS_SECRET_ACCESS_KEY", secret("secret"));
    command.env("AWS_SESSION_TOKEN", secret("token"));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(!said.contains(WORD), "{said}");
}

fn log_everything() {
    log::set_logger(&Log).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(|| Log);
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
}

fn expect_no_secret(what: &str, text: &str) {
    let line = text.lines().find(|line| FORMS.iter().any(|form| line.contains(form)));
    assert_eq!(line, None, "what is {what}");
}

/// Neither the name of a file below a folder has a secret nor what is in it; returns how many files there are.
fn expect_no_secret_below(folder: &Path) -> usize {
    let (mut folders, mut files) = (vec![folder.to_owned()], 0);
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            expect_no_secret("the name of a file", &item.path().display().to_string());
            if item.file_type().unwrap().is_dir() {
                folders.push(item.path());
                continue;
            }
            files += 1;
            let bytes = std::fs::read(item.path()).unwrap();
            let is_in = |form: &&str| bytes.windows(form.len()).any(|window| window == form.as_bytes());
            assert!(!FORMS.iter().any(is_in), "`{}` has a secret", item.path().display());
        }
    }
    files
}

#[ndcache::cache]
fn halves(n: usize) -> Vec<f64> {
    std::thread::sleep(Duration::from_millis(1500));
    (0..n).map(|i| i as f64 / 2.0).collect()
}

/// All that a memory says of its tier and of what went wrong there, after it has tried for `wait`.
fn tell_of_memory(told: &mut String, memory: &Memory, wait: Duration) {
    let mut add = |text: fmt::Arguments<'_>| writeln!(told, "{text}").expect("a text");
    add(format_args!("{:?}", memory.eval(halves::call(100)).len()));
    add(format_args!("{:?}", memory.flush(wait)));
    add(format_args!("{memory:?} {:?} {:?}", memory.tiers(), memory.probe_tiers()));
    add(format_args!("{:?}", memory.push(&Filter::default())));
    add(format_args!("{:?} {:?}", memory.pull(&Filter::default()), memory.tier_functions()));
    add(format_args!("{:?}", memory.lift_purge(None)));
    let stats = memory.stats();
    add(format_args!("{stats} {stats:?} {}", serde_json::to_string(&stats).unwrap()));
    add(format_args!("{} {:?}", memory.explain(&halves::call(100)), memory.explain(&halves::call(101))));
}

/// What a whole memory computes waits in its queue at a store that repeats what it was sent, goes to one that works, and
/// comes from there: no file of a cache or of the store, no line of a log and nothing that is told has a secret.
#[test]
fn a_memory_with_secrets_tells_them_to_its_store_alone() {
    const CHILD: &str = "NDCACHE_REMOTE_MEMORY_WITH_SECRETS";
    if std::env::var_os(CHILD).is_none() {
        return in_a_child("secrets::a_memory_with_secrets_tells_them_to_its_store_alone", CHILD);
    }
    log_everything();
    let mut told = String::new();
    let open = |folder: &Path, store: ObjectStore| {
        let tier = Tier::new(store).access(Access::ReadWrite);
        Memory::builder(folder).tier(tier).open().unwrap()
    };
    for status in [403, 500] {
        let folder = tempfile::tempdir().unwrap();
        // No server is behind the proxy.
        let proxy = Proxy::before(free_port(), move |_, _| Action::Echo(status));
        let options = [("endpoint", format!("http://127.0.0.1:{}", proxy.port)), ("allow_http", "true".to_owned())];
        let memory = open(folder.path(), ObjectStore::with("s3://ndc/memory", options).unwrap());
        tell_of_memory(&mut told, &memory, Duration::from_millis(500));
        assert_eq!(memory.tiers()[0].queued, 1, "{status}: nothing waits to be sent");
        assert!(proxy.seen().iter().any(|request| request.head.contains(&secret("token"))), "it isn't sent");
        drop(memory);
        assert!(expect_no_secret_below(folder.path()) > 2);
    }
    if let Some(server) = Server::of(Kind::Nginx) {
        let url = server.url("memory").replace("//", &format!("//user-{WORD}:{}@", secret("password")));
        for computed in [1, 0] {
            let folder = tempfile::tempdir().unwrap();
            let memory = open(folder.path(), ObjectStore::new(&url).unwrap());
            tell_of_memory(&mut told, &memory, Duration::from_secs(60));
            assert_eq!((memory.stats().misses(), memory.tiers()[0].queued), (computed, 0));
            drop(memory);
            assert!(expect_no_secret_below(folder.path()) > 2);
        }
        assert!(expect_no_secret_below(&server.folder) > 0);
    }
    let logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert!(logged.contains("a tier failed"), "nothing is logged: {logged}");
    expect_no_secret("told", &told);
    expect_no_secret("logged", &logged);
}

#[test]
fn secrets_of_every_source_are_sent_and_stand_nowhere_else() {
    const CHILD: &str = "NDCACHE_REMOTE_SECRETS";
    if std::env::var_os(CHILD).is_some() {
        return child();
    }
    if Server::of(Kind::Moto).is_none() || Server::of(Kind::Nginx).is_none() || Server::of(Kind::Azurite).is_none() {
        return;
    }
    in_a_child("secrets::secrets_of_every_source_are_sent_and_stand_nowhere_else", CHILD);
}

fn child() {
    log_everything();
    let mut told = String::new();
    let echoes = [403, 400, 500, 503, 404, 200].map(Action::Echo);
    let others = [Action::Reset, Action::Hole, Action::Garbage, Action::Cut(10)];
    for action in [Action::Pass].into_iter().chain(echoes).chain(others) {
        let at = |kind: Kind| {
            let action = action.clone();
            Proxy::before(Server::of(kind).unwrap().port, move |_, _| action.clone())
        };
        let (moto, nginx, azurite) = (at(Kind::Moto), at(Kind::Nginx), at(Kind::Azurite));
        let s3 = |proxy: u16| [("endpoint", format!("http://127.0.0.1:{proxy}")), ("allow_http", "true".to_owned())];
        let az = [
            ("account_name", "devstoreaccount1".to_owned()),
            ("endpoint", format!("http://127.0.0.1:{}/devstoreaccount1", azurite.port)),
            ("allow_http", "true".to_owned()),
        ];
        let keys = || Ok(Credentials::keys(secret("id"), secret("secret")).session_token(secret("token")));
        let sas = |key: &'static str| [(key, format!("sv=1&sig={}", secret("sig")))];
        let http = format!("http://127.0.0.1:{}/secrets", nginx.port);
        let stores = [
            ObjectStore::with("s3://ndc/secrets", s3(moto.port)).unwrap(),
            ObjectStore::with("s3://ndc/secrets", s3(moto.port)).unwrap().credentials(keys),
            ObjectStore::with("s3://ndc/secrets", s3(moto.port)).unwrap().credentials(|| Err(secret("error").into())),
            ObjectStore::with("s3://ndc/secrets", s3(free_port())).unwrap(),
            ObjectStore::with("az://ndc/secrets", az.iter().cloned().chain(sas("sas_token"))).unwrap(),
            ObjectStore::with("az://ndc/secrets", az.clone())
                .unwrap()
                .credentials(|| Ok(Credentials::shared_access_signature(format!("sv=1&sig={}", secret("sig"))))),
            ObjectStore::with("az://ndc/secrets", az.iter().cloned().chain([("bearer_token", secret("b"))])).unwrap(),
            ObjectStore::new(http.replace("//", &format!("//user-{WORD}:{}@", secret("p")))).unwrap(),
            ObjectStore::with(&http, [("bearer_token", secret("bearer"))]).unwrap(),
            ObjectStore::with(&http, [("username", secret("u")), ("password", secret("p"))]).unwrap(),
            ObjectStore::new(&http).unwrap().credentials(|| Ok(Credentials::bearer(secret("bearer")))),
            ObjectStore::new(&http).unwrap().credentials(|| panic!("no")),
        ];
        for store in &stores {
            tell(&mut told, store);
        }
        // Secrets were sent, in those headers that hold them unchanged.
        if matches!(action, Action::Pass) {
            let heads = |proxy: &Proxy| proxy.seen().iter().map(|request| request.head.clone()).collect::<String>();
            assert!(heads(&moto).contains(&secret("token")) && heads(&azurite).contains(&secret("sig")));
            assert!(heads(&nginx).contains(&secret("bearer")) && heads(&nginx).contains("Basic "));
        }
    }
    let logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert!(logged.contains("denies access"), "nothing is logged: {logged}");
    expect_no_secret("told", &told);
    expect_no_secret("logged", &logged);
    let server = Server::of(Kind::Nginx).unwrap();
    let store = ObjectStore::with(server.url("secrets"), [("bearer_token", secret("bearer"))]).unwrap();
    store.put(&Put::new("kept", Deadline::after(Duration::from_secs(30))), &b"an object".to_vec()).unwrap();
    assert!(expect_no_secret_below(&server.folder) > 0);
}

/// All that a store says of itself and of what went wrong.
fn tell(told: &mut String, store: &ObjectStore) {
    let until = || Deadline::after(Duration::from_millis(700));
    let mut add = |text: fmt::Arguments<'_>| writeln!(told, "{text}").expect("a text");
    let fault = |fault: Fault| format!("{fault} {fault:?} {fault:#?} {:?}", store.advice(&fault));
    add(format_args!("{store:?} {store:#?} {}", store.place()));
    add(format_args!("{:?}", Tier::new(store.clone()).access(Access::ReadWrite)));
    let put = store.put(&Put::new("object", until()), &b"an object".to_vec());
    add(format_args!("{:?}", put.map_err(fault)));
    let got = store.get(&Get::new("object", 1000, until()), &mut Vec::new());
    add(format_args!("{:?}", got.map_err(fault)));
    let listed = store.list(&List::new("", until()), &mut |_| Ok(()));
    add(format_args!("{:?}", listed.map_err(fault)));
    add(format_args!("{:?}", store.delete("object", until()).map_err(fault)));
}
