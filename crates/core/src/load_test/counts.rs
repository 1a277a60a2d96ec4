//! Everything that a run counts.

use serde::{Deserialize, Serialize};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Everything that is counted. Each is also a field of the JSON.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counts {
            pub fn merge(&mut self, other: &Counts) {
                $(self.$name += other.$name;)*
            }

            /// Each with its name.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }
        }
    };
}

counts! {
    /// Streams asked for, returns after a cut among them.
    connect_attempts,
    established,
    /// 429 or 503: a limit did its work. No failure.
    connect_refused,
    connect_failed,
    /// Messages written to a publisher's connection.
    sent,
    /// Of these, those that waited because the server had not answered the ones before.
    held_back,
    /// Messages that the server's slowness left no time for.
    unsent,
    accepted,
    /// 429 or 503 to a publisher.
    publish_refused,
    /// Any other answer, or none because the connection was cut.
    publish_failed,
    /// Polls that were answered, or failed.
    polled,
    /// Answered with neither a status nor a refusal (429, 503), or not at all.
    poll_failed,
    /// Messages that came to a follower who was due them.
    delivered,
    /// Accepted, due to a follower, and never come.
    lost,
    /// Overtaken by a later number; some may still come.
    skipped,
    /// Came a second time.
    repeated,
    /// Came after a later one.
    out_of_order,
    gaps,
    /// Events that the server said were missing.
    announced_missing,
    pings,
    /// Streams that were told `end` with `completed`.
    ended,
    /// Streams whose session was completed, and who were not told so.
    end_missing,
    /// Streams closed after `idle`.
    closed_idle,
    /// Streams closed after `reconnect`.
    closed_reconnect,
    /// Streams closed without a word.
    cut,
    bytes_in,
}
