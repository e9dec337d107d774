//! A proxy before a server that does what networks and servers do wrong: by request, and by byte of its answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// A request as the proxy has read it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The head, including the request's first line.
    pub(crate) head: String,
    body: Vec<u8>,
}

/// What becomes of a request. Numbers of bytes are those of the body of the answer.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Pass,
    /// After how many bytes the connection ends.
    Cut(usize),
    /// After how many bytes nothing more comes.
    Stall(usize),
    /// How many bytes come every 50 ms.
    Drip(usize),
    /// One bit of this byte is another one.
    Flip(usize),
    /// The request is read, and never answered.
    Hole,
    /// It ends before the answer begins.
    Reset,
    Delay(Duration),
    /// An answer of the proxy: the status, headers and the body.
    Answer(u16, String, String),
    /// An answer that repeats the request.
    Echo(u16),
    /// A success whose body doesn't end, with this header of its length.
    Endless(&'static str),
    /// An error whose body doesn't end.
    EndlessError,
    /// A part of the object that is shorter than the answer says.
    Short,
    /// The whole object, whichever part was asked for.
    NoRanges,
    Garbage,
}

type Rule = dyn Fn(&Request, usize) -> Action + Send + Sync;

pub(crate) struct Proxy {
    pub(crate) port: u16,
    pub(crate) connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Request>>>,
    stopped: Arc<AtomicBool>,
}

impl Proxy {
    /// Before the server at a port. The rule is asked for each request, with the number of those before it.
    pub(crate) fn before(port: u16, rule: impl Fn(&Request, usize) -> Action + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let proxy = Self {
            port: listener.local_addr().expect("an address").port(),
            connections: Arc::default(),
            seen: Arc::default(),
            stopped: Arc::default(),
        };
        let (rule, seen): (Arc<Rule>, _) = (Arc::new(rule), Arc::clone(&proxy.seen));
        let (connections, stopped) = (Arc::clone(&proxy.connections), Arc::clone(&proxy.stopped));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                connections.fetch_add(1, Ordering::SeqCst);
                let (rule, seen) = (Arc::clone(&rule), Arc::clone(&seen));
                thread::spawn(move || drop(serve(&stream, port, &*rule, &seen)));
            }
        });
        proxy
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The requests since it was last asked, as lines of methods.
    pub(crate) fn methods(&self) -> String {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        seen.iter().map(|request| request.method.as_str()).collect::<Vec<_>>().join(" ")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

fn serve(stream: &TcpStream, port: u16, rule: &Rule, seen: &Mutex<Vec<Request>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader)? {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.len();
        seen.push(request.clone());
        drop(seen);
        act(stream, port, &request, &rule(&request, before))?;
    }
    Ok(())
}

fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let (head, len) = read_head(reader)?;
    let mut words = head.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(None) };
    let (method, path) = (method.to_owned(), path.to_owned());
    let mut body = vec![0; len.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { method, path, head, body }))
}

/// A head without the empty line at its end, and the length that it gives.
fn read_head(reader: &mut impl BufRead) -> io::Result<(String, Option<usize>)> {
    let (mut head, mut len) = (String::new(), None);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            return Ok((head, len));
        }
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            len = text.trim().parse().ok();
        }
        head.push_str(&line);
    }
}

fn act(mut to: &TcpStream, port: u16, request: &Request, action: &Action) -> io::Result<()> {
    let answer = |status: u16, headers: &str, body: &str| {
        let len = body.len();
        format!("HTTP/1.1 {status} Said\r\nContent-Length: {len}\r\n{headers}\r\n{body}")
    };
    let ended = || Err(io::ErrorKind::ConnectionAborted.into());
    match action {
        Action::Hole => loop {
            wait_for_the_end(to)?;
        },
        Action::Reset => return ended(),
        Action::Garbage => {
            to.write_all(b"\x16\x03\x01 what is this\r\n\r\n")?;
            return ended();
        }
        Action::Short => {
            let head = "HTTP/1.1 206 Part\r\nContent-Range: bytes 0-99/200000\r\nContent-Length: 50\r\n\r\n";
            return to.write_all(&[head.as_bytes(), &[0; 50]].concat());
        }
        Action::Delay(time) => thread::sleep(*time),
        Action::Answer(status, headers, body) => return to.write_all(answer(*status, headers, body).as_bytes()),
        Action::Echo(status) => {
            let body = format!("<Error><Code>SignatureDoesNotMatch</Code><Said>{}</Said></Error>", request.head);
            return to.write_all(answer(*status, "", &body).as_bytes());
        }
        Action::Endless(length) => {
            let date = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nETag: \"1\"\r\n";
            return endless(to, &format!("HTTP/1.1 200 OK\r\n{length}{date}\r\n"));
        }
        Action::EndlessError => return endless(to, "HTTP/1.1 500 No\r\n\r\n"),
        _ => {}
    }
    let (head, body) = forward(port, request, matches!(action, Action::NoRanges))?;
    to.write_all(head.as_bytes())?;
    match action {
        Action::Cut(at) => {
            to.write_all(&body[..body.len().min(*at)])?;
            ended()
        }
        Action::Stall(at) => {
            to.write_all(&body[..body.len().min(*at)])?;
            loop {
                wait_for_the_end(to)?;
            }
        }
        Action::Drip(some) => body.chunks(*some).try_for_each(|drop| {
            thread::sleep(Duration::from_millis(50));
            to.write_all(drop)
        }),
        Action::Flip(at) => {
            let mut body = body;
            if let Some(byte) = body.get_mut(*at) {
                *byte ^= 0x10;
            }
            to.write_all(&body)
        }
        _ => to.write_all(&body),
    }
}

fn endless(mut to: &TcpStream, head: &str) -> io::Result<()> {
    to.write_all(head.as_bytes())?;
    loop {
        to.write_all(&[b'x'; 64 << 10])?;
    }
}

/// Until the other side ends the connection.
fn wait_for_the_end(mut stream: &TcpStream) -> io::Result<()> {
    match stream.read(&mut [0; 64])? {
        0 => Err(io::ErrorKind::ConnectionAborted.into()),
        _ => Ok(()),
    }
}

/// What the server answers: a head that says the length, and the body.
fn forward(port: u16, request: &Request, whole: bool) -> io::Result<(String, Vec<u8>)> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let mut lines: Vec<_> = request.head.lines().collect();
    lines.retain(|line| {
        let line = line.to_ascii_lowercase();
        !(line.starts_with("connection:") || whole && line.starts_with("range:"))
    });
    lines.push("Connection: close");
    (&stream).write_all(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes())?;
    (&stream).write_all(&request.body)?;
    let mut reader = BufReader::new(&stream);
    let (head, len) = loop {
        let (head, len) = read_head(&mut reader)?;
        if !head.starts_with("HTTP/1.1 100") {
            break (head, len);
        }
    };
    let mut body = Vec::new();
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let is_bare = request.method == "HEAD" || head.contains(" 204 ") || head.contains(" 304 ");
    if !is_bare {
        match len {
            Some(len) => drop(reader.by_ref().take(len as u64).read_to_end(&mut body)?),
            None => drop(reader.read_to_end(&mut body)?),
        }
    }
    let mut kept: Vec<_> = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:")).collect();
    let length = format!("Content-Length: {}", body.len());
    if len.is_none() && !chunked && !is_bare {
        kept.push(&length);
    }
    Ok((format!("{}\r\n\r\n", kept.join("\r\n")), body))
}
