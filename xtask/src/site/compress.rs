//! Brotli and gzip beside each file that gains by it.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::steps::Outcome;

/// Pictures and fonts are compressed already.
const TEXT: [&str; 10] = ["css", "js", "ts", "wasm", "svg", "json", "txt", "html", "xml", "webmanifest"];

pub fn beside(path: &Path, bytes: &[u8]) -> Outcome<Vec<String>> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
    if !TEXT.contains(&extension.as_str()) {
        return Ok(Vec::new());
    }
    for (kind, compress) in [("br", brotli as fn(&[u8]) -> Outcome<Vec<u8>>), ("gz", gzip)] {
        let compressed = path.with_added_extension(kind);
        // The name carries the hash of the content, so what is there is right.
        if !compressed.exists() {
            fs::write(compressed, compress(bytes)?)?;
        }
    }
    Ok(vec!["br".to_string(), "gz".to_string()])
}

fn brotli(bytes: &[u8]) -> Outcome<Vec<u8>> {
    // Code changes its character every few kilobytes: smaller blocks than the default are worth 0.1 %.
    let (quality, lgwin, lgblock) = (11, 22, 17);
    let params = brotli::enc::BrotliEncoderParams { quality, lgwin, lgblock, ..Default::default() };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut compressed, &params)?;
    Ok(compressed)
}

fn gzip(bytes: &[u8]) -> Outcome<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}
