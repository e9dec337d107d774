//! Secrets are sent to the server, and stand nowhere else: not in logs at `trace`, errors, `Debug`, places or objects.

use std::fmt::{self, Write as _};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ndcache::tier::{Access, Backend, Credentials, Deadline, Fault, Get, List, ObjectStore, Put, Tier};

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

/// In a process of its own, whose environment and log are this test's alone.
#[test]
fn secrets_of_every_source_are_sent_and_stand_nowhere_else() {
    const CHILD: &str = "NDCACHE_REMOTE_SECRETS";
    if std::env::var_os(CHILD).is_some() {
        return child();
    }
    if Server::of(Kind::Moto).is_none() || Server::of(Kind::Nginx).is_none() || Server::of(Kind::Azurite).is_none() {
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "secrets::secrets_of_every_source_are_sent_and_stand_nowhere_else", "--nocapture"]);
    command.env(CHILD, "1").env("AWS_ACCESS_KEY_ID", format!("id-{WORD}"));
    command.env("AWS_SECRET_ACCESS_KEY", format!("secret-{WORD}")).env("AWS_SESSION_TOKEN", format!("token-{WORD}"));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(!said.contains(WORD), "{said}");
}

fn child() {
    log::set_logger(&Log).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(|| Log);
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();

    let mut told = String::new();
    for action in [
        Action::Pass,
        Action::Echo(403),
        Action::Echo(400),
        Action::Echo(500),
        Action::Echo(503),
        Action::Echo(404),
        Action::Echo(200),
        Action::Reset,
        Action::Hole,
        Action::Garbage,
        Action::Cut(10),
    ] {
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
        // They were sent, where they are sent as they are.
        if matches!(action, Action::Pass) {
            let heads = |proxy: &Proxy| proxy.seen().iter().map(|request| request.head.clone()).collect::<String>();
            assert!(heads(&moto).contains(&secret("token")) && heads(&azurite).contains(&secret("sig")));
            assert!(heads(&nginx).contains(&secret("bearer")) && heads(&nginx).contains("Basic "));
        }
    }
    let logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert!(logged.contains("denies access"), "nothing is logged: {logged}");
    for (what, text) in [("told", &told), ("logged", &logged)] {
        let line = text.lines().find(|line| line.contains(WORD) || line.contains("aHVudGVyMg"));
        assert_eq!(line, None, "what is {what}");
    }
    let nginx = &Server::of(Kind::Nginx).unwrap().folder;
    let found = Command::new("grep").args(["-rl", WORD]).arg(nginx).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
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
