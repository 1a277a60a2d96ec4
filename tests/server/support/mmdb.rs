use std::{net::IpAddr, path::Path};

/// A record that leads nowhere.
const NOTHING: u32 = u32::MAX;

/// Writes a MaxMind DB as operators have it (format 2.0, IPv6 tree, records of 24 bits): networks and their countries.
/// IPv4 networks lie in `::/96`.
pub fn write_mmdb(path: &Path, networks: &[(&str, &str)]) {
    let (mut tree, mut data) = (vec![[NOTHING; 2]], Vec::new());
    let mut leaves = Vec::new();
    for (network, country) in networks {
        let (address, prefix) = network.split_once('/').expect("a network");
        let prefix: usize = prefix.parse().expect("a prefix");
        let (bits, prefix) = match address.parse().expect("an address") {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), prefix + 96),
            IpAddr::V6(v6) => (u128::from(v6), prefix),
        };
        let side = |depth: usize| (bits >> (127 - depth)) as usize & 1;
        let mut node = 0;
        for depth in 0..prefix - 1 {
            let mut next = tree[node][side(depth)] as usize;
            if next == NOTHING as usize {
                next = tree.len();
                tree[node][side(depth)] = next as u32;
                tree.push([NOTHING; 2]);
            }
            node = next;
        }
        leaves.push((node, side(prefix - 1), data.len()));
        data.extend(map(&[("country", map(&[("iso_code", text(country)), ("geoname_id", number(6, 1))]))]));
    }
    let count = tree.len() as u32;
    for (node, side, at) in leaves {
        // Beyond the tree: sixteen bytes that part it from the data, then the offset in the data.
        tree[node][side] = count + 16 + at as u32;
    }
    let mut file = Vec::new();
    for record in tree.into_iter().flatten() {
        let record = if record == NOTHING { count } else { record };
        file.extend(&record.to_be_bytes()[1..]);
    }
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    file.extend(map(&[
        ("binary_format_major_version", number(5, 2)),
        ("binary_format_minor_version", number(5, 0)),
        ("build_epoch", [vec![0x04, 0x02], 1_700_000_000u32.to_be_bytes().to_vec()].concat()),
        ("database_type", text("GeoLite2-Country")),
        ("description", map(&[("en", text("Countries for tests"))])),
        ("ip_version", number(5, 6)),
        ("languages", [vec![0x01, 0x04], text("en")].concat()),
        ("node_count", number(6, count)),
        ("record_size", number(5, 24)),
    ]));
    std::fs::write(path, file).expect("a file");
}

/// A field's control byte holds its type above and its size below.
fn text(text: &str) -> Vec<u8> {
    assert!(text.len() < 29, "a longer text has a longer head");
    [&[2 << 5 | text.len() as u8], text.as_bytes()].concat()
}

/// `kind`: 5 has 16 bits, 6 has 32.
fn number(kind: u8, number: u32) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let bytes = &bytes[number.leading_zeros() as usize / 8..];
    [&[kind << 5 | bytes.len() as u8], bytes].concat()
}

fn map(fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![7 << 5 | fields.len() as u8];
    for (key, value) in fields {
        bytes.extend(text(key));
        bytes.extend(value);
    }
    bytes
}
