//! Whatever a browser, or anybody, posts as a beacon: a beacon within its bounds, or a sentence.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamgauge_core::metric::beacon::{Beacon, LONGEST};

fuzz_target!(|body: &[u8]| {
    match Beacon::parse(body) {
        Ok(beacon) => {
            assert!(body.len() <= LONGEST);
            assert!(beacon.latencies_ms.len() <= 64 && beacon.fallbacks.len() <= 16);
            assert!(beacon.page.len() <= 64);
        }
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
});
