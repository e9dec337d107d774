//! The doctor recognises places that answer and can't be tiers, and says the cause and the remedy.

use ndcache::Memory;
use ndcache::tier::{Access, ObjectStore, Share, Tier, TierProbe, Trouble};

use crate::proxy::{Action, Proxy, Request};
use crate::servers::free_port;

fn answer(status: u16, body: &str) -> Action {
    Action::Answer(status, String::new(), body.to_owned())
}

fn error(status: u16, code: &str) -> Action {
    answer(status, &format!("<Error><Code>{code}</Code><Message>no</Message></Error>"))
}

fn probe(store: ObjectStore, access: Access) -> TierProbe {
    let folder = tempfile::tempdir().unwrap();
    let tier = Tier::new(store).access(access).share(Share::Any);
    Memory::builder(folder.path()).tier(tier).open().unwrap().probe_tiers().remove(0)
}

fn s3(port: u16) -> ObjectStore {
    let endpoint = format!("http://127.0.0.1:{port}");
    let options = [
        ("endpoint", endpoint.as_str()),
        ("allow_http", "true"),
        ("access_key_id", "id"),
        ("secret_access_key", "secret"),
    ];
    ObjectStore::with("s3://bucket/a", options).unwrap()
}

/// The last step of a probe, which has failed, and its cause.
fn failed(probe: &TierProbe) -> (&'static str, Trouble) {
    assert!(!probe.is_fine(), "{probe:?}");
    let step = probe.steps.last().unwrap();
    (step.name, step.trouble.clone().unwrap())
}

/// Answers like a server that has objects, lists none, and refuses what is put.
fn refusing(request: &Request) -> Action {
    match request.method.as_str() {
        "GET" if request.path.contains("list-type") => {
            answer(200, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
        }
        "GET" => error(404, "NoSuchKey"),
        _ => error(403, "AccessDenied"),
    }
}

#[test]
fn a_login_page_is_no_tier() {
    let page = "<html><body>Welcome to the network of the hotel</body></html>";
    let proxy = Proxy::before(0, move |_, _| answer(200, page));
    let url = format!("http://127.0.0.1:{}/a", proxy.port);
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let (step, trouble) = failed(&probe(ObjectStore::new(&url).unwrap(), access));
        assert!(step == "get" && trouble.cause.contains("login page"), "{trouble}");
    }
    assert!(proxy.seen().iter().all(|request| request.method != "PUT"), "nothing is put there");
}

#[test]
fn a_bucket_that_is_missing_is_told() {
    let proxy = Proxy::before(0, |_, _| error(404, "NoSuchBucket"));
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let (step, trouble) = failed(&probe(s3(proxy.port), access));
        assert_eq!((step, trouble.class), ("get", "no place"));
        assert!(
            trouble.cause.contains("no bucket of `s3://bucket/a`") && trouble.remedy.contains("make it"),
            "{trouble}"
        );
    }
}

#[test]
fn a_put_that_is_refused_is_told_where_results_are_put() {
    let proxy = Proxy::before(0, |request, _| refusing(request));
    assert!(probe(s3(proxy.port), Access::ReadOnly).is_fine());
    let (step, trouble) = failed(&probe(s3(proxy.port), Access::ReadWrite));
    assert_eq!((step, trouble.class), ("put", "denied"));
    assert!(trouble.cause.contains("`AccessDenied`, HTTP 403"), "{trouble}");
    assert!(trouble.remedy.contains("`AWS_ACCESS_KEY_ID`") && trouble.remedy.contains("`s3:PutObject`"), "{trouble}");
    assert!(!trouble.to_string().contains("secret\""), "{trouble}");
}

#[test]
fn a_port_that_refuses_is_told() {
    let (_, trouble) = failed(&probe(s3(free_port()), Access::ReadOnly));
    assert_eq!(trouble.class, "unreachable");
    assert!(trouble.cause.contains("can't connect to `http://127.0.0.1:"), "{trouble}");
    assert!(trouble.remedy.contains("`AWS_ENDPOINT_URL_S3`"), "{trouble}");
}

/// It used to say only that one result is left.
#[test]
fn what_can_not_be_sent_says_why() {
    #[ndcache::cache]
    fn number(n: u64) -> u64 {
        n
    }
    let proxy = Proxy::before(0, |request, _| refusing(request));
    let folder = tempfile::tempdir().unwrap();
    let tier = Tier::new(s3(proxy.port)).access(Access::ReadWrite).share(Share::Any);
    let memory = Memory::builder(folder.path()).tier(tier).open().unwrap();
    for n in 0..3 {
        memory.eval(number::call(n));
    }
    let flushed = memory.flush(std::time::Duration::from_secs(20)).unwrap();
    assert_eq!((flushed.uploaded, flushed.left, flushed.troubles.len()), (0, 3, 1), "{flushed:?}");
    let pushed = memory.push(&ndcache::tier::Filter::default()).unwrap();
    assert_eq!((pushed.moved, pushed.failed, pushed.troubles.len()), (0, 3, 1), "{pushed:?}");
    for trouble in [&flushed.troubles[0], &pushed.troubles[0]] {
        assert!(trouble.class == "denied" && trouble.cause.contains("`AccessDenied`"), "{trouble}");
    }
}
