//! Status and framing of an answer.

use super::body::Framing;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the head itself.
    pub length: usize,
    pub status: u16,
    pub framing: Framing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer is no HTTP/1.1")]
pub struct NoHttp;

/// Longer than any head of ours; past it something else is talking.
const MOST: usize = 16 * 1024;

/// `None`: it goes on.
pub fn read(bytes: &[u8]) -> Result<Option<Head>, NoHttp> {
    let mut headers = [httparse::EMPTY_HEADER; 48];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes).map_err(|_| NoHttp)? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial if bytes.len() > MOST => return Err(NoHttp),
        httparse::Status::Partial => return Ok(None),
    };
    let status = response.code.ok_or(NoHttp)?;
    let header = |name: &str| {
        let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
    };
    let framing = if matches!(status, 204 | 304) {
        Framing::Length(0)
    } else if header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        Framing::chunked()
    } else if let Some(length) = header("content-length") {
        Framing::Length(length.parse().map_err(|_| NoHttp)?)
    } else {
        Framing::UntilClose
    };
    Ok(Some(Head { length, status, framing }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_tell_status_and_framing() {
        let check = |text: &str, expected| {
            let got = read(text.as_bytes()).map(|head| head.map(|head| (head.status, head.framing)));
            assert_eq!(got, expected, "{text:?}");
        };
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", Ok(Some((200, Framing::chunked()))));
        check("HTTP/1.1 202 Accepted\r\ncontent-length: 12\r\n\r\n", Ok(Some((202, Framing::Length(12)))));
        check("HTTP/1.1 204 No Content\r\n\r\n", Ok(Some((204, Framing::Length(0)))));
        check("HTTP/1.1 200 OK\r\n\r\n", Ok(Some((200, Framing::UntilClose))));
        check("HTTP/1.1 200 OK\r\ncont", Ok(None));
        check("SSH-2.0-x\r\n", Err(NoHttp));
        check("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", Err(NoHttp));
    }
}
