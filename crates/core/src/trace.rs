//! Traces: whom a request continues, by W3C `traceparent`, and whether it is kept.

/// The span at the other side that a request continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    pub trace: [u8; 16],
    pub span: [u8; 8],
    /// The other side keeps its part.
    pub sampled: bool,
}

impl TraceParent {
    /// `00-<32 hex>-<16 hex>-<2 hex>`. `None`: not that, and then a new trace begins, as W3C asks. A later version may say
    /// more after a dash.
    pub fn parse(header: &str) -> Option<TraceParent> {
        let mut parts = header.split('-');
        let [version] = hex::<1>(parts.next()?)?;
        let parent = TraceParent {
            trace: hex(parts.next()?)?,
            span: hex(parts.next()?)?,
            sampled: hex::<1>(parts.next()?)?[0] & 1 == 1,
        };
        let more = parts.next().is_some();
        let good =
            version != 0xff && !(version == 0 && more) && parent.trace != [0; 16] && parent.span != [0; 8];
        good.then_some(parent)
    }
}

/// Lower-case digits only, exactly `N` bytes.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// Whether a span is kept: as its parent was, or by the trace's number, so that all nodes decide alike. `ratio`: 0 to 1.
pub fn is_kept(parent: Option<TraceParent>, trace: [u8; 16], ratio: f64) -> bool {
    if let Some(parent) = parent {
        return parent.sampled;
    }
    let [.., a, b, c, d, e, f, g, h] = trace;
    // 53 bits, which a float holds exactly: below 1, however large they are.
    let chance = (u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 11) as f64 / (1u64 << 53) as f64;
    chance < ratio
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_parent_is_read_strictly() {
        let parent = TraceParent::parse(GOOD).expect("the example of the specification");
        assert_eq!((parent.trace[0], parent.trace[15], parent.span[7]), (0x4b, 0x36, 0xb7));
        assert!(parent.sampled);
        let check = |header: &str, expected: bool| {
            assert_eq!(TraceParent::parse(header).is_some(), expected, "{header}");
        };
        check(&GOOD.replace("-01", "-00"), true);
        check(&GOOD.replace("00-4b", "cc-4b").replace("-01", "-01-what-comes"), true);
        check(&GOOD.replace("-01", "-01-more"), false);
        check(&GOOD.replace("00-4b", "ff-4b"), false);
        check(&GOOD.to_uppercase(), false);
        check("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false);
        check("00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01", false);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", false);
        check("", false);
        check("00-é", false);
    }

    #[test]
    fn a_parent_decides_and_otherwise_chance() {
        let parent = TraceParent::parse(GOOD);
        let unsampled = parent.map(|parent| TraceParent { sampled: false, ..parent });
        assert!(is_kept(parent, [0xff; 16], 0.0));
        assert!(!is_kept(unsampled, [0; 16], 1.0));
        assert!(is_kept(None, [0xff; 16], 1.0));
        assert!(!is_kept(None, [0; 16], 0.0));
        let mut half = [0; 16];
        half[8] = 0x80;
        assert!(!is_kept(None, half, 0.5) && is_kept(None, half, 0.500_001));
    }
}
