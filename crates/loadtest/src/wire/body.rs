//! How long a body is, and what of the bytes belongs to it.

use super::head::NoHttp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    Chunked(Chunk),
    UntilClose,
}

/// Where in the chunked coding the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// In the line that tells the size; `digits` seen so far, then an extension may follow.
    Size {
        value: u64,
        extension: bool,
    },
    Data(u64),
    /// The line break after the data.
    Break,
    /// In the lines after the last chunk; `empty` while nothing stands in this one.
    Trailer {
        empty: bool,
    },
    Done,
}

impl Framing {
    pub fn chunked() -> Framing {
        Framing::Chunked(Chunk::Size { value: 0, extension: false })
    }

    pub fn is_done(self) -> bool {
        matches!(self, Framing::Length(0) | Framing::Chunked(Chunk::Done))
    }

    /// Gives the body's part of `bytes` to `take`, in slices, and an empty one where what the server wrote at once is over: a
    /// chunk, or without chunks these bytes. Answers how many bytes were used: all, unless the body ended.
    pub fn push(&mut self, bytes: &[u8], mut take: impl FnMut(&[u8])) -> Result<usize, NoHttp> {
        match self {
            Framing::UntilClose => {
                take(bytes);
                take(&[]);
                Ok(bytes.len())
            }
            Framing::Length(left) => {
                let part = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                take(&bytes[..part]);
                take(&[]);
                *left -= part as u64;
                Ok(part)
            }
            Framing::Chunked(chunk) => {
                let mut at = 0;
                while at < bytes.len() && *chunk != Chunk::Done {
                    at += chunk.step(&bytes[at..], &mut take)?;
                }
                Ok(at)
            }
        }
    }
}

impl Chunk {
    /// `bytes` is not empty; answers how many were used, at least one.
    fn step(&mut self, bytes: &[u8], take: &mut impl FnMut(&[u8])) -> Result<usize, NoHttp> {
        let byte = bytes[0];
        *self = match (*self, byte) {
            (Chunk::Data(left), _) => {
                let part = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                take(&bytes[..part]);
                let left = left - part as u64;
                if left == 0 {
                    take(&[]);
                }
                *self = if left == 0 { Chunk::Break } else { Chunk::Data(left) };
                return Ok(part);
            }
            (Chunk::Size { value: 0, .. }, b'\n') => Chunk::Trailer { empty: true },
            (Chunk::Size { value, .. }, b'\n') => Chunk::Data(value),
            (Chunk::Size { value, .. }, b'\r' | b';' | b' ') => Chunk::Size { value, extension: true },
            (Chunk::Size { value, extension: true }, _) => Chunk::Size { value, extension: true },
            (Chunk::Size { value, extension: false }, _) => {
                let digit = char::from(byte).to_digit(16).ok_or(NoHttp)?;
                // A chunk of 2^60 bytes is nothing that a server means.
                let value =
                    if value >> 56 == 0 { value << 4 | u64::from(digit) } else { return Err(NoHttp) };
                Chunk::Size { value, extension: false }
            }
            (Chunk::Break, b'\r') => Chunk::Break,
            (Chunk::Break, b'\n') => Chunk::Size { value: 0, extension: false },
            (Chunk::Break, _) => return Err(NoHttp),
            (Chunk::Trailer { empty }, b'\r') => Chunk::Trailer { empty },
            (Chunk::Trailer { empty: true }, b'\n') => Chunk::Done,
            (Chunk::Trailer { .. }, b'\n') => Chunk::Trailer { empty: true },
            (Chunk::Trailer { .. }, _) => Chunk::Trailer { empty: false },
            (Chunk::Done, _) => Chunk::Done,
        };
        Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(parts: &[&[u8]]) -> Result<(Vec<u8>, bool), NoHttp> {
        let (mut framing, mut body) = (Framing::chunked(), Vec::new());
        for part in parts {
            framing.push(part, |bytes| body.extend_from_slice(bytes))?;
        }
        Ok((body, framing.is_done()))
    }

    #[test]
    fn the_end_of_a_chunk_is_told() {
        let (mut framing, mut told) = (Framing::chunked(), Vec::new());
        let bytes = b"5\r\nhello\r\n1\r\n!\r\n2\r\nx";
        framing.push(bytes, |part| told.push(String::from_utf8_lossy(part).into_owned())).expect("chunks");
        assert_eq!(told, ["hello", "", "!", "", "x"]);
    }

    #[test]
    fn chunks_are_joined() {
        let check = |text: &str, expected| assert_eq!(decode(&[text.as_bytes()]), expected, "{text:?}");
        check("5\r\nhello\r\n", Ok((b"hello".to_vec(), false)));
        check("5;x=1\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", Ok((b"hello!".to_vec(), true)));
        check("0\r\ntrailer: x\r\n\r\n", Ok((vec![], true)));
        check("g\r\n", Err(NoHttp));
        check("1\r\nab", Err(NoHttp));
        check("11111111111111111\r\n", Err(NoHttp));
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_body(chunks in prop::collection::vec("[a-z\r\n]{1,40}", 0..6), cut in 0usize..300) {
            let mut wire: String = chunks.iter().map(|c| format!("{:x}\r\n{c}\r\n", c.len())).collect();
            wire.push_str("0\r\n\r\n");
            let (head, tail) = wire.as_bytes().split_at(cut.min(wire.len()));
            prop_assert_eq!(decode(&[head, tail]), Ok((chunks.concat().into_bytes(), true)));
        }
    }
}
