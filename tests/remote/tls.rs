//! Encrypted connections: which certificates are trusted.

use std::process::Command;
use std::time::Duration;

use ndcache::tier::{Backend, Deadline, Fault, Get, ObjectStore, Put, conformance};

use crate::proxy::{Action, Proxy};
use crate::servers::{Kind, Server};

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

#[test]
fn a_certificate_that_nobody_knows_is_told_and_nothing_is_sent() {
    let Some(server) = Server::of(Kind::Encrypted) else { return };
    let put = server.store("unknown").put(&Put::new("object", soon()), &b"x".to_vec());
    let Err(Fault::Other(error)) = put else { panic!("{put:?}") };
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    assert!(!server.folder.join("unknown").exists());
}

/// In a process of its own, which is told of the authority.
#[test]
fn a_certificate_of_an_authority_that_ssl_cert_file_names_is_trusted() {
    const CHILD: &str = "NDCACHE_REMOTE_TLS";
    if let Ok(url) = std::env::var(CHILD) {
        conformance(&ObjectStore::new(&url).unwrap()).unwrap();
        return leads_away(&url);
    }
    let Some(server) = Server::of(Kind::Encrypted) else { return };
    let mut child = Command::new(std::env::current_exe().unwrap());
    let test = "tls::a_certificate_of_an_authority_that_ssl_cert_file_names_is_trusted";
    child.args(["--exact", test, "--nocapture"]).env("SSL_CERT_FILE", server.folder.with_extension("ca"));
    let output = child.env(CHILD, server.url("known")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
}

/// An answer that leads out of an encrypted connection isn't followed.
fn leads_away(url: &str) {
    let plain = Proxy::before(1, |_, _| Action::Answer(200, String::new(), "x".to_owned()));
    let away = url.replace("/known", &format!("/away/{}", plain.port));
    let got = ObjectStore::new(away).unwrap().get(&Get::new("object", 10, soon()), &mut Vec::new());
    assert!(matches!(got, Err(Fault::Other(_))), "{got:?}");
    assert!(plain.seen().is_empty());
}
