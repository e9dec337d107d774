//! Servers on this machine.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ndcache::tier::ObjectStore;

/// The bucket of every server.
pub(crate) const BUCKET: &str = "ndc";

/// How long a server takes to begin, at most: one that runs under Python on a machine with much to do.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Ministack,
    Moto,
    S3rver,
    Azurite,
    Nginx,
    Rclone,
    /// Nginx with a certificate whose authority nobody knows.
    Encrypted,
}

/// A server, which ends when this process does.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) port: u16,
    /// The folder of what it stores, if it stores files.
    pub(crate) folder: PathBuf,
    child: Child,
}

impl Server {
    /// The shared server of a kind; `None` if this machine hasn't one, which is a failure if `CI` is set.
    pub(crate) fn of(kind: Kind) -> Option<&'static Self> {
        static ALL: [OnceLock<Result<Server, String>>; 7] = [const { OnceLock::new() }; 7];
        match ALL[kind as usize].get_or_init(|| Self::begin(kind)) {
            Ok(server) => Some(server),
            Err(why) if std::env::var_os("CI").is_some_and(|ci| ci == "true") => panic!("{kind:?}: {why}"),
            Err(why) => {
                eprintln!("skipped: {kind:?}: {why}");
                None
            }
        }
    }

    /// Begins a new, empty server of a kind.
    pub(crate) fn begin(kind: Kind) -> Result<Self, String> {
        let mut last = String::new();
        // Another program may take the port in between.
        for _ in 0..3 {
            match Self::begin_at(kind, free_port()) {
                Err(why) => last = why,
                begun => return begun,
            }
        }
        Err(last)
    }

    fn begin_at(kind: Kind, port: u16) -> Result<Self, String> {
        let folder = folder_of(kind, port);
        let (mut command, name) = command(kind, port, &folder)?;
        let log = File::create(folder.with_extension("log")).map_err(|error| error.to_string())?;
        command.stdin(Stdio::piped()).stdout(log.try_clone().expect("a file")).stderr(log).process_group(0);
        let child = command.spawn().map_err(|error| format!("`{name}` doesn't begin: {error}"))?;
        let mut server = Self { kind, port, folder, child };
        server.wait()?;
        server.make_bucket().inspect_err(|_| server.end())?;
        Ok(server)
    }

    fn wait(&mut self) -> Result<(), String> {
        let begin = Instant::now();
        loop {
            if ask(self.port, "GET", "/", b"").is_some_and(|(status, _)| status > 0) {
                return Ok(());
            }
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) || begin.elapsed() > PATIENCE {
                self.end();
                let log = fs::read_to_string(self.folder.with_extension("log")).unwrap_or_default();
                return Err(format!("it doesn't begin: {log}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn make_bucket(&self) -> Result<(), String> {
        let made = match self.kind {
            Kind::Ministack | Kind::Moto => ask(self.port, "PUT", &format!("/{BUCKET}"), b"").map(|(status, _)| status),
            Kind::Azurite => make_container(self.port),
            _ => Some(200),
        };
        if made.is_some_and(|status| status < 300) { Ok(()) } else { Err(format!("it makes no bucket: {made:?}")) }
    }

    /// Ends the server before this process ends.
    pub(crate) fn end(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }

    pub(crate) fn url(&self, below: &str) -> String {
        match self.kind {
            Kind::Ministack | Kind::Moto | Kind::S3rver => format!("s3://{BUCKET}/{below}"),
            Kind::Azurite => format!("az://{BUCKET}/{below}"),
            Kind::Encrypted => format!("https://localhost:{}/{below}", self.port),
            Kind::Nginx | Kind::Rclone => format!("http://127.0.0.1:{}/{below}", self.port),
        }
    }

    /// The options of a store there, or at a proxy before it.
    pub(crate) fn options(&self, port: u16) -> Vec<(&'static str, String)> {
        let said: &[(&str, &str)] = match self.kind {
            Kind::Ministack | Kind::Moto => &[("access_key_id", "an id"), ("secret_access_key", "a secret")],
            Kind::S3rver => &[("access_key_id", "S3RVER"), ("secret_access_key", "S3RVER")],
            Kind::Azurite => &[("account_name", ACCOUNT), ("account_key", ACCOUNT_KEY)],
            Kind::Nginx | Kind::Rclone | Kind::Encrypted => return Vec::new(),
        };
        let mut options: Vec<_> = said.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        let path = if self.kind == Kind::Azurite { format!("/{ACCOUNT}") } else { String::new() };
        options.push(("endpoint", format!("http://127.0.0.1:{port}{path}")));
        options.push(("allow_http", "true".to_owned()));
        options
    }

    pub(crate) fn store(&self, below: &str) -> ObjectStore {
        ObjectStore::with(self.url(below), self.options(self.port)).expect("a store")
    }

    /// The store as it is seen through a proxy.
    pub(crate) fn store_behind(&self, port: u16, below: &str) -> ObjectStore {
        let url = self.url(below).replace(&format!(":{}", self.port), &format!(":{port}"));
        ObjectStore::with(url, self.options(port)).expect("a store")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// What every emulator of Azure has.
const ACCOUNT: &str = "devstoreaccount1";
const ACCOUNT_KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Ends a server as soon as the process that has the other end of its input is gone.
const UNTIL_INPUT_ENDS: &str = r#""$@" </dev/null & server=$!; read -r _; kill -9 "$server"; wait"#;

fn command(kind: Kind, port: u16, folder: &Path) -> Result<(Command, String), String> {
    let port = port.to_string();
    let path = folder.to_str().expect("a path");
    let python = std::env::var("NDCACHE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let node = |program: &str| {
        let program = installed().join("node/node_modules/.bin").join(program);
        if program.exists() { Ok(program.to_str().expect("a path").to_owned()) } else { Err(missing(&program)) }
    };
    let of_python = |package: &str| {
        let package = installed().join("python").join(package);
        if package.exists() { Ok(()) } else { Err(missing(&package)) }
    };
    let words: Vec<String> = match kind {
        Kind::Ministack => {
            of_python("ministack")?;
            [&python, "-m", "ministack"].map(str::to_owned).into()
        }
        Kind::Moto => {
            of_python("moto")?;
            let main = "from moto.server import main; main()";
            [&python, "-c", main, "-H", "127.0.0.1", "-p", &port].map(str::to_owned).into()
        }
        Kind::S3rver => {
            let program = node("s3rver")?;
            [&program, "-d", path, "-a", "127.0.0.1", "-p", &port, "--configure-bucket", BUCKET]
                .map(str::to_owned)
                .into()
        }
        Kind::Azurite => {
            let program = node("azurite-blob")?;
            let said = ["--silent", "--skipApiVersionCheck", "--loose", "--disableTelemetry"];
            let at = [&program, "--blobHost", "127.0.0.1", "--blobPort", &port, "--location", path];
            at.into_iter().chain(said).map(str::to_owned).collect()
        }
        Kind::Nginx | Kind::Encrypted => {
            let said = folder.with_extension("conf");
            fs::write(&said, nginx(kind, &port, folder)?).map_err(|error| error.to_string())?;
            let said = said.to_str().expect("a path");
            [program("nginx")?.as_str(), "-e", "/dev/null", "-c", said].map(str::to_owned).into()
        }
        Kind::Rclone => {
            let at = format!("127.0.0.1:{port}");
            let said = ["serve", "webdav", "--config", "/dev/null", "--addr", at.as_str(), path];
            std::iter::once(program("rclone")?).chain(said.map(str::to_owned)).collect()
        }
    };
    let mut command = Command::new("sh");
    command.args(["-c", UNTIL_INPUT_ENDS, "sh"]).args(&words);
    command.env("BIND_HOST", "127.0.0.1").env("GATEWAY_PORT", &port).env("SERVICES", "s3");
    command.env("PYTHONPATH", installed().join("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok((command, words[0].clone()))
}

fn nginx(kind: Kind, port: &str, folder: &Path) -> Result<String, String> {
    let (ssl, certificate) = match kind {
        Kind::Encrypted => (" ssl", make_certificate(folder)?),
        _ => ("", String::new()),
    };
    let folder = folder.display();
    let module = "/usr/lib/nginx/modules/ngx_http_dav_ext_module.so";
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}.temporary/{kind};\n"))
        .concat();
    fs::create_dir_all(format!("{folder}.temporary")).expect("a folder");
    Ok(format!(
        "load_module {module};\ndaemon off;\nmaster_process off;\npid {folder}.pid;\nerror_log stderr;\n\
         events {{ worker_connections 256; }}\n\
         http {{\naccess_log off;\nsendfile on;\nclient_max_body_size 0;\n{temporary}\
         server {{\nlisten 127.0.0.1:{port}{ssl};\n{certificate}\nroot {folder};\nlocation / {{\n\
         dav_methods PUT DELETE MKCOL COPY MOVE;\ndav_ext_methods PROPFIND OPTIONS;\ncreate_full_put_path on;\n}}\n\
         location ~ ^/away/([0-9]+)/ {{\nreturn 302 http://127.0.0.1:$1/x;\n}}\n\
         location /slow/ {{\nalias {folder}/;\nlimit_rate 60m;\n}}\n}}\n}}\n"
    ))
}

/// The lines of a certificate for this machine, whose authority is in `….ca`.
fn make_certificate(folder: &Path) -> Result<String, String> {
    let of = |kind: &str| folder.with_extension(kind).display().to_string();
    let (authority, authority_key, request) = (of("ca"), of("ca-key"), of("request"));
    let (key, certificate, names) = (of("key"), of("certificate"), of("names"));
    fs::write(&names, "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
        .map_err(|error| error.to_string())?;
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    let commands = [
        format!("req -x509 {new} -keyout {authority_key} -out {authority} -days 2 -subj /CN=authority"),
        format!("req {new} -keyout {key} -out {request} -subj /CN=localhost"),
        format!(
            "x509 -req -in {request} -CA {authority} -CAkey {authority_key} -CAcreateserial -days 2 -out {certificate} \
             -extfile {names}"
        ),
    ];
    for command in commands {
        let made = Command::new("openssl").args(command.split_whitespace()).output();
        let made = made.map_err(|_| missing(Path::new("openssl")))?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned());
        }
    }
    Ok(format!("ssl_certificate {certificate};\nssl_certificate_key {key};\n"))
}

fn program(name: &str) -> Result<String, String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/sbin"]).map(Path::new);
    let found = folders.map(|folder| folder.join(name)).find(|program| program.exists());
    found.map(|program| program.display().to_string()).ok_or_else(|| missing(Path::new(name)))
}

fn missing(what: &Path) -> String {
    format!("there is no `{}`: `.ci/prepare` installs it", what.display())
}

/// Where `.ci/prepare` puts servers.
fn installed() -> PathBuf {
    match std::env::var_os("NDCACHE_SERVERS") {
        Some(folder) => folder.into(),
        None => target().join("servers"),
    }
}

fn target() -> PathBuf {
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

fn folder_of(kind: Kind, port: u16) -> PathBuf {
    let folder = target().join("tests/servers").join(format!("{kind:?}-{port}").to_lowercase());
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// A request without credentials: the status and the body of its answer.
pub(crate) fn ask(port: u16, method: &str, path: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
    ask_with(port, method, path, &[], body)
}

fn ask_with(port: u16, method: &str, path: &str, headers: &[String], body: &[u8]) -> Option<(u16, Vec<u8>)> {
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(5)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let status = std::str::from_utf8(&answer[..end]).ok()?.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.split_off(end + 4)))
}

/// Makes the container, for which a request has to be signed.
fn make_container(port: u16) -> Option<u16> {
    let signed = format!(
        "import base64,hashlib,hmac,email.utils\n\
         date=email.utils.formatdate(usegmt=True)\n\
         text='PUT\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\nx-ms-date:'+date+'\\nx-ms-version:2021-08-06\\n/{ACCOUNT}/{ACCOUNT}/{BUCKET}\\nrestype:container'\n\
         key=base64.b64decode('{ACCOUNT_KEY}')\n\
         print(date);print(base64.b64encode(hmac.new(key,text.encode(),hashlib.sha256).digest()).decode())"
    );
    let python = std::env::var("NDCACHE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(python).args(["-c", &signed]).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    let (date, signature) = said.trim().split_once('\n')?;
    let headers = [
        format!("x-ms-date: {date}"),
        "x-ms-version: 2021-08-06".to_owned(),
        format!("Authorization: SharedKey {ACCOUNT}:{signature}"),
    ];
    let path = format!("/{ACCOUNT}/{BUCKET}?restype=container");
    ask_with(port, "PUT", &path, &headers, b"").map(|(status, _)| status)
}
