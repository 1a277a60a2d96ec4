//! What a transcription goes through, and the chance that makes no two alike.

/// xorshift64*: good enough for a demo, and no dependency.
pub struct Chance(u64);

impl Chance {
    pub fn new() -> Chance {
        use std::hash::{BuildHasher, RandomState};
        Chance(RandomState::new().hash_one(0u8) | 1)
    }

    /// The same numbers for the same seed.
    pub fn seeded(seed: u64) -> Chance {
        Chance(seed | 1)
    }

    /// One of its own for another task.
    pub fn split(&mut self) -> Chance {
        Chance(self.next() | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// `low..high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low).max(1)
    }

    /// `0..high`, for times.
    pub fn below(&mut self, high: i64) -> i64 {
        self.between(0, high.unsigned_abs()).cast_signed()
    }

    pub fn percent(&mut self, percent: u64) -> bool {
        self.between(0, 100) < percent
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.between(0, from.len() as u64) as usize]
    }
}

/// A stage: its name, the progress at its end, and how many events it reports on average.
pub struct Stage {
    pub name: &'static str,
    pub until: u64,
    pub events: u64,
}

pub const STAGES: [Stage; 5] = [
    Stage { name: "uploading", until: 12, events: 6 },
    Stage { name: "queued", until: 13, events: 2 },
    Stage { name: "transcribing", until: 82, events: 40 },
    Stage { name: "diarizing", until: 94, events: 10 },
    Stage { name: "summarising", until: 99, events: 6 },
];

pub const KINDS: [&str; 4] = ["transcription", "transcription", "transcription", "import"];
pub const REGIONS: [&str; 6] = ["eu-central", "eu-west", "us-east", "us-west", "ap-south", "sa-east"];

/// What browsers call themselves, the commonest oftener.
pub const BROWSERS: [&str; 5] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36 Edg/130.0",
];

/// What the stage would say about itself.
pub fn message(stage: &str, progress: u64, chance: &mut Chance) -> String {
    match stage {
        "uploading" => format!("{} of 48 MB received", progress * 4),
        "queued" => format!("{} ahead in the queue", chance.between(0, 4)),
        "transcribing" => {
            let minute = progress.saturating_sub(13) * 40 / 69;
            format!("minute {minute} of 40, {} words", minute * chance.between(138, 152))
        }
        "diarizing" => format!("{} voices so far", chance.between(2, 5)),
        _ => "writing the summary".to_owned(),
    }
}
