//! The measured distributions: one row each, from which SQL, JSON, `/metrics` and pages take names and words.

macro_rules! histograms {
    ($(
        $variant:ident {
            name: $name:literal, title: $title:literal, step: $step:ident,
            by_region: $by_region:literal, samples: $samples:literal, help: $help:literal $(,)?
        }
    )*) => {
        /// Histograms merge; percentiles are read from the merged one only.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Measure { $(#[doc = $help] $variant,)* }

        impl Measure {
            pub const ALL: [Measure; [$($name),*].len()] = [$(Measure::$variant),*];

            /// Its one name: in the map that PostgreSQL stores and in `/metrics`, and the beginning of its columns in CSV and JSON
            /// and of its metrics' names.
            pub fn name(self) -> &'static str {
                match self { $(Measure::$variant => $name,)* }
            }

            pub fn title(self) -> &'static str {
                match self { $(Measure::$variant => $title,)* }
            }

            pub fn step(self) -> Step {
                match self { $(Measure::$variant => Step::$step,)* }
            }

            /// Whether it is kept by the follower's region too.
            pub fn is_by_region(self) -> bool {
                match self { $(Measure::$variant => $by_region,)* }
            }

            /// What its values are of.
            pub fn samples(self) -> &'static str {
                match self { $(Measure::$variant => $samples,)* }
            }

            /// From where to where it is measured.
            pub fn help(self) -> &'static str {
                match self { $(Measure::$variant => $help,)* }
            }
        }
    };
}

/// What a histogram counts time in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Micros,
    Millis,
}

impl Measure {
    /// Steps in a second.
    pub fn per_second(self) -> u64 {
        match self.step() {
            Step::Micros => 1_000_000,
            Step::Millis => 1_000,
        }
    }

    /// A value in milliseconds.
    pub fn ms(self, value: f64) -> f64 {
        match self.step() {
            Step::Micros => value / 1_000.0,
            Step::Millis => value,
        }
    }
}

histograms! {
    Delivery {
        name: "delivery_latency", title: "Delivery latency", step: Micros, by_region: true,
        samples: "deliveries", help: "Publish accepted to last byte handed to the kernel, for each follower."
    }
    Connect {
        name: "connection_establishment", title: "Connection establishment", step: Micros,
        by_region: true, samples: "streams",
        help: "Accept of a stream's connection, or first byte on a kept one, to its response head flushed."
    }
    Duration {
        name: "connection_duration", title: "Connection duration", step: Millis,
        by_region: false, samples: "closed streams", help: "Lifetime of streams that were closed."
    }
    PublishLag {
        name: "publish_lag", title: "Publish lag", step: Micros, by_region: false,
        samples: "events", help: "Publish accepted to arrival at this node: the share of Redis."
    }
    Staleness {
        name: "poll_staleness", title: "Polling staleness", step: Millis, by_region: false,
        samples: "polls", help: "Age of the news that a poll brought."
    }
    PollTime {
        name: "poll_duration", title: "Poll duration", step: Micros, by_region: false,
        samples: "polls", help: "First byte of a poll to its response flushed."
    }
    FirstUpdate {
        name: "first_update", title: "Time to first update", step: Millis,
        by_region: false, samples: "page reports", help: "A page begins to follow to its first status shown, by beacon."
    }
    ClientLatency {
        name: "client_latency", title: "Client-seen latency", step: Millis,
        by_region: true, samples: "page reports",
        help: "Publish to receipt in the browser, above the quickest recent receipt, by beacon."
    }
    ProbeConnect {
        name: "probe_connection", title: "Probe: connect", step: Micros,
        by_region: false, samples: "probes", help: "The probe's first packet to its stream's head."
    }
    ProbePublish {
        name: "probe_publish", title: "Probe: publish", step: Micros, by_region: false,
        samples: "probes", help: "The probe's publish to its answer."
    }
    ProbeDelivery {
        name: "probe_delivery", title: "Probe: delivery", step: Micros,
        by_region: false, samples: "probes", help: "The probe's publish to its arrival on its own stream."
    }
}
