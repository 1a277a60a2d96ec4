//! A small server with the routes that a load test needs, and faults at chosen message numbers.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// How long a stall lasts.
pub const STALL: Duration = Duration::from_millis(600);

/// Message numbers, in each session.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    pub lose: Option<u64>,
    pub repeat: Option<u64>,
    /// Answered with 503.
    pub refuse: Option<u64>,
    /// The streams are cut after it.
    pub cut: Option<u64>,
    /// Nothing is answered for [`STALL`] once it has come.
    pub stall: Option<u64>,
    pub no_end: bool,
    /// Polls are answered with an error.
    pub no_polls: bool,
}

#[derive(Default)]
struct Session {
    /// What was published, as frames; the first has sequence 1.
    frames: Vec<String>,
    followers: Vec<TcpStream>,
    /// How many requests for status came, refused ones too.
    asked: u64,
}

type Sessions = Arc<Mutex<HashMap<String, Session>>>;

pub struct Server;

impl Server {
    /// Lives as long as the test's process. Answers its address.
    pub fn start(faults: Faults) -> String {
        listen(&Sessions::default(), faults, Part::Both)
    }

    /// One that only takes messages and one that only streams, over the same sessions.
    pub fn start_two(faults: Faults) -> [String; 2] {
        let sessions = Sessions::default();
        [Part::Publish, Part::Follow].map(|part| listen(&sessions, faults, part))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Both,
    Publish,
    Follow,
}

fn listen(sessions: &Sessions, faults: Faults, part: Part) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let sessions = sessions.clone();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let sessions = sessions.clone();
            thread::spawn(move || serve(socket, &sessions, faults, part));
        }
    });
    address
}

fn serve(mut socket: TcpStream, sessions: &Sessions, faults: Faults, part: Part) -> Option<()> {
    let mut reader = BufReader::new(socket.try_clone().ok()?);
    loop {
        let (mut line, mut length, mut position) = (String::new(), 0, None);
        reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
        let mut words = line.split(' ');
        let is_get = words.next()? == "GET";
        let path = words.next()?.to_owned();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            if header == "\r\n" {
                break;
            }
            let (name, value) = header.trim_end().split_once(": ")?;
            match name {
                "content-length" => length = value.parse().ok()?,
                "last-event-id" => position = value.strip_prefix("a-").and_then(|seq| seq.parse().ok()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).ok()?;
        let parts: Vec<&str> = path.split('/').collect();
        let mut sessions = sessions.lock().ok()?;
        let is_poll = is_get && parts.ends_with(&["status"]);
        let follows = is_poll || parts.ends_with(&["stream"]);
        let needs = if follows { Part::Follow } else { Part::Publish };
        let mut said = "{}".to_owned();
        let answer = match parts.as_slice() {
            ["", "healthz"] => "200 OK",
            _ if part != Part::Both && part != needs => "404 Not Found",
            ["", "api", "v1", "sessions"] => {
                let id = body.split('"').nth(3)?.to_owned();
                sessions.entry(id).or_default();
                "201 Created"
            }
            ["", "api", "v1", "sessions", id, "status", "stream"] => {
                let session = sessions.get_mut(*id)?;
                open(&mut socket, session, position)?;
                session.followers.push(socket);
                return Some(());
            }
            _ if is_poll && faults.no_polls => "500 Internal Server Error",
            _ if is_poll => "200 OK",
            ["", "api", "v1", "sessions", id, "status"] => status(sessions.get_mut(*id)?, &body, faults),
            ["", "api", "v1", "status"] => {
                let lines = body.lines().map(|line| {
                    let id = line.split('"').nth(3)?;
                    Some(status(sessions.get_mut(id)?, line, faults).split_at(3).0)
                });
                let fates = lines.collect::<Option<Vec<_>>>()?;
                said = format!(
                    "[{}]",
                    fates.iter().map(|fate| format!("{{\"status\":{fate}}}")).collect::<Vec<_>>().join(",")
                );
                "207 Multi-Status"
            }
            ["", "api", "v1", "sessions", id, "complete"] => {
                let session = sessions.get_mut(*id)?;
                if !faults.no_end {
                    let frame = "event: end\ndata: {\"state\":\"completed\"}\n\n";
                    session.frames.push(frame.into());
                    for mut follower in session.followers.drain(..) {
                        let _ = write!(follower, "{}0\r\n\r\n", chunk(frame));
                    }
                }
                "202 Accepted"
            }
            _ => "200 OK",
        };
        drop(sessions);
        write!(socket, "HTTP/1.1 {answer}\r\ncontent-length: {}\r\n\r\n{said}", said.len()).ok()?;
    }
}

fn status(session: &mut Session, body: &str, faults: Faults) -> &'static str {
    session.asked += 1;
    let number = Some(session.asked);
    if number == faults.stall {
        thread::sleep(STALL);
    }
    if number == faults.refuse {
        return "503 Service Unavailable";
    }
    let frame = format!("id: a-{}\nevent: status\ndata: {body}\n\n", session.frames.len() + 1);
    session.frames.push(frame.clone());
    for follower in &mut session.followers {
        let times = if number == faults.lose { 0 } else { 1 + usize::from(number == faults.repeat) };
        let _ = follower.write_all(chunk(&frame).repeat(times).as_bytes());
    }
    if number == faults.cut {
        // Dropped: the connection ends in the middle of the body.
        session.followers.clear();
    }
    "202 Accepted"
}

/// A ping, then what was missed since the position, or the latest as a snapshot.
fn open(socket: &mut TcpStream, session: &Session, position: Option<usize>) -> Option<()> {
    let from = position.unwrap_or(session.frames.len().saturating_sub(1));
    let missed = session.frames.get(from..).unwrap_or_default().concat();
    let opening = chunk(&format!("retry: 150\n\nevent: ping\ndata: {{}}\n\n{missed}"));
    write!(socket, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{opening}").ok()
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}
