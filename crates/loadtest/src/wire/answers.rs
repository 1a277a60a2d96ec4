//! The answers on a publisher's connection. Requests go out without waiting, so several answers may come at once.

use super::head::{self, NoHttp};

#[derive(Default)]
pub struct Answers {
    held: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answers {
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next whole answer.
    pub fn next(&mut self) -> Result<Option<Answer>, NoHttp> {
        let Some(head) = head::read(&self.held)? else { return Ok(None) };
        let (mut framing, mut body) = (head.framing, Vec::new());
        // Bodies are small, so reading one again from its start when more has come costs less than remembering.
        let used = framing.push(&self.held[head.length..], |part| body.extend_from_slice(part))?;
        if !framing.is_done() {
            return Ok(None);
        }
        self.held.drain(..head.length + used);
        Ok(Some(Answer { status: head.status, body }))
    }
}

/// What became of each line of a batch, as the answer to it tells; empty where it tells nothing.
pub fn fates(body: &[u8]) -> Vec<u16> {
    #[derive(serde::Deserialize)]
    struct Fate {
        status: u16,
    }
    let fates: Vec<Fate> = serde_json::from_slice(body).unwrap_or_default();
    fates.into_iter().map(|fate| fate.status).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_line_of_a_batch_has_its_fate() {
        assert_eq!(fates(br#"[{"line":1,"id":"a-1","status":202},{"line":2,"status":409}]"#), [202, 409]);
        assert_eq!(fates(b"busy"), [0u16; 0]);
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_answers(cuts in prop::collection::vec(0usize..200, 0..5)) {
            let wire = b"HTTP/1.1 202 Accepted\r\ncontent-length: 3\r\n\r\nabcHTTP/1.1 204 No Content\r\n\r\n\
                HTTP/1.1 503 Service Unavailable\r\ntransfer-encoding: chunked\r\n\r\n2\r\nxy\r\n0\r\n\r\n";
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(wire.len())).chain([0, wire.len()]).collect();
            cuts.sort_unstable();
            let (mut answers, mut got) = (Answers::default(), Vec::new());
            for pair in cuts.windows(2) {
                answers.push(&wire[pair[0]..pair[1]]);
                while let Some(answer) = answers.next().expect("HTTP") {
                    got.push((answer.status, answer.body));
                }
            }
            prop_assert_eq!(got, vec![(202, b"abc".to_vec()), (204, vec![]), (503, b"xy".to_vec())]);
        }
    }
}
