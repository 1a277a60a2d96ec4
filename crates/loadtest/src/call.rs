//! Single requests, outside of the load: is the server there, does it take the key, and the result for it to keep.

use crate::wire::{
    answers::{Answer, Answers},
    request::Requests,
    target::Target,
};
use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(5);

/// Sends one request and reads its answer.
pub fn call(target: &Target, request: &[u8]) -> io::Result<Answer> {
    let mut socket = TcpStream::connect_timeout(&target.address, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.write_all(request)?;
    let (mut answers, mut buffer) = (Answers::default(), [0u8; 4 * 1024]);
    loop {
        let bytes = socket.read(&mut buffer)?;
        if bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answers.push(&buffer[..bytes]);
        if let Some(answer) = answers.next().map_err(io::Error::other)? {
            return Ok(answer);
        }
    }
}

/// Whether an HTTP server answers.
pub fn is_alive(target: &Target) -> io::Result<()> {
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n\r\n", target.authority);
    call(target, request.as_bytes()).map(drop)
}

/// Whether messages may be published, asked by a batch without any. Whatever else is wrong the load will tell.
pub fn may_publish(target: &Target, requests: &Requests) -> io::Result<bool> {
    let mut request = Vec::new();
    requests.batch(b"", &mut request);
    // 429: so many wrong keys came from here that no more are looked at.
    call(target, &request).map(|answer| !matches!(answer.status, 401 | 403 | 429))
}
