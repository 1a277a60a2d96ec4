//! What a run came to, out of what was tallied. The document's shape is core's: the server keeps it.

use crate::tally::{Tally, Times};
use streamgauge_core::load_test::{Figures, Summary};

impl From<&Times> for Summary {
    fn from(times: &Times) -> Summary {
        Summary {
            samples: times.count(),
            p50_ms: times.ms(50.0),
            p90_ms: times.ms(90.0),
            p95_ms: times.ms(95.0),
            p99_ms: times.ms(99.0),
            p999_ms: times.ms(99.9),
            max_ms: times.ms(100.0),
        }
    }
}

/// What the tally shows; the rest is the caller's.
pub fn figures_of(tally: &Tally) -> Figures {
    Figures {
        counts: tally.counts,
        latency: (&tally.latency).into(),
        latency_sent: (&tally.latency_sent).into(),
        last_delivery: (&tally.last_delivery).into(),
        connect: (&tally.connect).into(),
        connect_began: (&tally.connect_began).into(),
        answer: (&tally.answer).into(),
        ..Figures::default()
    }
}
