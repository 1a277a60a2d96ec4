//! Requests as text, written straight into a connection's buffer.

use super::mark::Mark;
use std::io::Write;
use streamgauge_core::session::ids::EventId;

/// What all requests of a run have in common.
#[derive(Clone)]
pub struct Requests {
    /// `Host`, and `Authorization` where there is a key. Never printed.
    common: String,
    /// The beginning of every session's id: no two runs share one.
    prefix: String,
}

impl Requests {
    pub fn new(authority: &str, key: Option<&str>, run: &str) -> Requests {
        let authorization = key.map_or_else(String::new, |key| format!("authorization: Bearer {key}\r\n"));
        Requests { common: format!("host: {authority}\r\n{authorization}"), prefix: format!("load-{run}-") }
    }

    pub fn create(&self, session: u32, out: &mut Vec<u8>) {
        let body = format!("{{\"id\":\"{}{session}\",\"kind\":\"load test\"}}", self.prefix);
        self.post("/api/v1/sessions", body.as_bytes(), out);
    }

    pub fn status(&self, session: u32, mark: Mark, out: &mut Vec<u8>) {
        let mut body = b"{".to_vec();
        event(mark, &mut body);
        self.post(&format!("/api/v1/sessions/{}{session}/status", self.prefix), &body, out);
    }

    /// The same as one line among many; see [`Requests::batch`].
    pub fn line(&self, session: u32, mark: Mark, out: &mut Vec<u8>) {
        let _ = write!(out, "{{\"session\":\"{}{session}\",", self.prefix);
        event(mark, out);
        out.push(b'\n');
    }

    pub fn batch(&self, lines: &[u8], out: &mut Vec<u8>) {
        self.post_as("application/x-ndjson", "/api/v1/status", lines, out);
    }

    pub fn complete(&self, session: u32, out: &mut Vec<u8>) {
        let path = format!("/api/v1/sessions/{}{session}/complete", self.prefix);
        self.post(&path, b"{\"outcome\":\"completed\"}", out);
    }

    pub fn post(&self, path: &str, body: &[u8], out: &mut Vec<u8>) {
        self.post_as("application/json", path, body, out);
    }

    fn post_as(&self, kind: &str, path: &str, body: &[u8], out: &mut Vec<u8>) {
        let _ = write!(
            out,
            "POST {path} HTTP/1.1\r\n{}content-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            self.common,
            body.len()
        );
        out.extend_from_slice(body);
    }

    /// Asks for a session's newest status, as a client that polls does: with a ticket, where the server gave one.
    pub fn poll(&self, authority: &str, session: u32, ticket: Option<&str>, out: &mut Vec<u8>) {
        let ticket = ticket.map_or_else(String::new, |ticket| format!("?ticket={ticket}"));
        let _ = write!(
            out,
            "GET /api/v1/sessions/{}{session}/status{ticket} HTTP/1.1\r\nhost: {authority}\r\n\r\n",
            self.prefix
        );
    }

    /// A follower shows a ticket, where the server gave one, and never the publisher's key.
    pub fn follow(
        &self,
        authority: &str,
        session: u32,
        resume: Option<EventId>,
        ticket: Option<&str>,
    ) -> Vec<u8> {
        let ticket = ticket.map_or_else(String::new, |ticket| format!("?ticket={ticket}"));
        let resume = resume.map_or_else(String::new, |id| format!("last-event-id: {id}\r\n"));
        format!(
            "GET /api/v1/sessions/{}{session}/status/stream{ticket} HTTP/1.1\r\nhost: {authority}\r\n\
             accept: text/event-stream\r\n{resume}\r\n",
            self.prefix
        )
        .into_bytes()
    }
}

/// A status event's fields, and the end of its object.
fn event(mark: Mark, out: &mut Vec<u8>) {
    let _ = write!(out, "\"stage\":\"load\",\"progress\":{},", mark.number % 100);
    mark.write(out);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&Requests, &mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&Requests::new("h:1", Some("sk"), "r"), &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn golden_requests() {
        assert_eq!(
            written(|r, out| r.status(3, Mark { number: 7, due_us: 1, sent_us: 2 }, out)),
            "POST /api/v1/sessions/load-r-3/status HTTP/1.1\r\nhost: h:1\r\nauthorization: Bearer sk\r\n\
             content-type: application/json\r\ncontent-length: 44\r\n\r\n\
             {\"stage\":\"load\",\"progress\":7,\"data\":[7,1,2]}"
        );
        assert_eq!(
            written(|r, out| r.line(3, Mark { number: 7, due_us: 1, sent_us: 2 }, out)),
            "{\"session\":\"load-r-3\",\"stage\":\"load\",\"progress\":7,\"data\":[7,1,2]}\n"
        );
        let batch = written(|r, out| r.batch(b"{}\n{}\n", out));
        assert!(batch.starts_with("POST /api/v1/status HTTP/1.1\r\n"), "{batch}");
        assert!(batch.contains("application/x-ndjson\r\ncontent-length: 6\r\n"), "{batch}");
        assert!(written(|r, out| r.create(3, out)).ends_with("{\"id\":\"load-r-3\",\"kind\":\"load test\"}"));
        assert_eq!(
            written(|r, out| r.poll("h:1", 3, Some("t"), out)),
            "GET /api/v1/sessions/load-r-3/status?ticket=t HTTP/1.1\r\nhost: h:1\r\n\r\n"
        );
        let follow = written(|r, out| out.extend(r.follow("h:1", 3, "a-7".parse().ok(), Some("t"))));
        assert!(
            follow.starts_with("GET /api/v1/sessions/load-r-3/status/stream?ticket=t HTTP/1.1\r\n"),
            "{follow}"
        );
        assert!(follow.contains("last-event-id: a-7\r\n") && !follow.contains("sk"), "{follow}");
    }
}
