//! Every setting's one definition. Flags, the settings file, the environment, `PATCH /api/admin/limits`, `--help`, the API's
//! document and `docs/settings.md` read it.
//!
//! A fixed setting is one row of the first list, which is also a field of [`Settings`]. One that may change while the server
//! runs is a row of the second list, a [`Limit`] and a field of [`Limits`]; with a `step` the optimizer may change it too.

use super::{
    config::{BadSetting, MachineDefaults, RawSettings},
    parse,
    setting::{Kind, Range, Setting},
};
use crate::{
    access::site::{PublicUrl, host_names},
    metric::region::Network,
};
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf};

macro_rules! settings {
    (
        fixed { $($fixed:ident: $type:ty {
            default: $default:tt, value: $value:ident $bounds:tt, $(unit: $unit:literal,)? help: $help:literal $(,)?
        })* }
        running { $($(#[$doc:meta])* $variant:ident $name:ident {
            default: $at_start:literal, value: $least:literal..=$most:literal, $(unit: $its_unit:literal,)?
            $(step: $step:literal,)? help: $its_help:literal $(,)?
        })* }
    ) => {
        /// Every setting there is: those that are fixed, then those that may change while the server runs.
        pub const SETTINGS: &[Setting] = &[
            $(Setting {
                name: stringify!($fixed),
                kind: Kind::Fixed,
                default: settings!(@default $default),
                range: settings!(@range $value $bounds),
                unit: concat!($($unit)?),
                allowed: settings!(@allowed $value $bounds),
                help: $help,
            },)*
            $(Limit::$variant.setting(),)*
        ];

        /// The settings of one node.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Settings {
            $(#[doc = $help] pub $fixed: $type,)*
            /// Those that may change, as they are at the start.
            pub limits: Limits,
        }

        impl Settings {
            pub(super) fn read(raw: &RawSettings, machine: &MachineDefaults) -> Result<Settings, BadSetting> {
                let mut limits = Limits::default();
                for &limit in Limit::ALL {
                    let (least, most) = limit.bounds();
                    if let Some(value) = raw.read(limit.name(), parse::whole(least.into(), most.into()))? {
                        limits.put(limit, value);
                    }
                }
                Ok(Settings {
                    $($fixed: settings!(@read raw machine $fixed $default, settings!(@parse $value $bounds)),)*
                    limits,
                })
            }
        }

        /// One setting that may change while the server runs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Limit { $($(#[$doc])* $variant,)* }

        impl Limit {
            pub const ALL: &[Limit] = &[$(Limit::$variant,)*];

            pub const fn setting(self) -> Setting {
                match self { $(Limit::$variant => Setting {
                    name: stringify!($name),
                    kind: settings!(@kind $($step)?),
                    default: Some(concat!($at_start)),
                    range: Range::Whole { least: $least, most: $most },
                    unit: concat!($($its_unit)?),
                    allowed: concat!("a whole number from ", $least, " to ", $most),
                    help: $its_help,
                },)* }
            }

            /// As in settings and on the wire.
            pub const fn name(self) -> &'static str {
                self.setting().name
            }

            pub const fn allowed(self) -> &'static str {
                self.setting().allowed
            }

            pub const fn default(self) -> u32 {
                match self { $(Limit::$variant => $at_start,)* }
            }

            /// Least and most that is allowed.
            pub const fn bounds(self) -> (u32, u32) {
                match self { $(Limit::$variant => ($least, $most),)* }
            }
        }

        /// All of them, within their bounds unless a caller of [`Limits::put`] took no care.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Limits { $(#[doc = $its_help] pub $name: u32,)* }

        impl Default for Limits {
            fn default() -> Limits {
                Limits { $($name: $at_start,)* }
            }
        }

        impl Limits {
            pub fn get(&self, limit: Limit) -> u32 {
                match limit { $(Limit::$variant => self.$name,)* }
            }

            pub fn put(&mut self, limit: Limit, value: u32) {
                match limit { $(Limit::$variant => self.$name = value,)* }
            }
        }
    };

    (@default none) => { None };
    (@default ($of_machine:expr, $shown:literal)) => { Some($shown) };
    (@default $default:literal) => { Some(concat!($default)) };

    (@read $raw:ident $machine:ident $name:ident none, $parse:expr) => {
        $raw.read(stringify!($name), $parse)?
    };
    (@read $raw:ident $machine:ident $name:ident ($of_machine:expr, $shown:literal), $parse:expr) => {
        match $raw.read(stringify!($name), $parse)? {
            Some(value) => value,
            None => $of_machine($machine),
        }
    };
    (@read $raw:ident $machine:ident $name:ident $default:literal, $parse:expr) => {
        $raw.read_or(stringify!($name), $parse, concat!($default))?
    };

    (@parse Whole($least:literal..=$most:literal)) => { parse::whole($least, $most) };
    (@parse OffOrWhole($least:literal..=$most:literal)) => { parse::off_or_whole($least, $most) };
    (@parse Number($least:literal..=$most:literal)) => { parse::number($least, $most) };
    (@parse Switch()) => { parse::switch };
    (@parse Text($parse:expr, $allowed:literal)) => { $parse };

    (@range Whole($least:literal..=$most:literal)) => { Range::Whole { least: $least, most: $most } };
    (@range OffOrWhole($least:literal..=$most:literal)) => { Range::OffOrWhole { least: $least, most: $most } };
    (@range Number($least:literal..=$most:literal)) => { Range::Number { least: $least, most: $most } };
    (@range Switch()) => { Range::Switch };
    (@range Text($parse:expr, $allowed:literal)) => { Range::Text };

    (@allowed Whole($least:literal..=$most:literal)) => {
        concat!("a whole number from ", $least, " to ", $most)
    };
    (@allowed OffOrWhole($least:literal..=$most:literal)) => {
        concat!("0, or a whole number from ", $least, " to ", $most)
    };
    (@allowed Number($least:literal..=$most:literal)) => { concat!("a number from ", $least, " to ", $most) };
    (@allowed Switch()) => { "true or false" };
    (@allowed Text($parse:expr, $allowed:literal)) => { $allowed };

    (@kind) => { Kind::Running };
    (@kind $step:literal) => { Kind::Tunable { step: $step } };
}

settings! {
    fixed {
        listen: SocketAddr {
            default: "127.0.0.1:3000",
            value: Text(parse::address, "an address and a port such as 127.0.0.1:3000"),
            help: "Address and port to listen on",
        }
        public_url: Option<PublicUrl> {
            default: none,
            value: Text(
                PublicUrl::parse,
                "a URL such as https://status.example.com: http or https, a host, and neither a user nor a query nor a fragment"
            ),
            help: "Address at which people reach this server, for every link that leaves it. Without it, links have http://localhost:PORT while access is open",
        }
        allowed_hosts: Option<Vec<String>> {
            default: none,
            value: Text(host_names, "names such as status.example.com, without port, with commas between them"),
            help: "Other names that the server answers to, with commas between them. It always answers to loopback names, addresses and the name in public_url. A server with keys and without this and public_url answers to every name",
        }
        data_dir: PathBuf {
            default: (
                MachineDefaults::data_dir,
                "/var/lib/streamgauge as root, else ~/.local/share/streamgauge"
            ),
            value: Text(parse::path, "the path of a folder"),
            help: "Folder for what this node keeps, the private PostgreSQL among it",
        }
        database_url: Option<String> {
            default: none,
            value: Text(parse::postgres_url, "a URL that starts with postgres:// or postgresql://"),
            help: "PostgreSQL to use instead of a private one",
        }
        redis_url: Option<String> {
            default: none,
            value: Text(
                parse::redis_url,
                "redis://HOST[:PORT], unix:///PATH, redis-sentinel:// with the addresses of the Sentinels and, after a slash, their name for the primary, or redis-cluster:// with the addresses of some of its nodes, with commas between addresses; rediss:// is not spoken: let a tunnel do TLS"
            ),
            help: "Redis that joins several nodes: redis://HOST, or redis-sentinel://HOST:PORT,HOST:PORT/NAME where Sentinels know the primary, or redis-cluster://HOST:PORT,HOST:PORT for a Redis Cluster. Without it this node is alone",
        }
        redis_plain: bool {
            default: true,
            value: Switch(),
            help: "Also take status events that back ends PUBLISH to session:ID:status in Redis by themselves",
        }
        node: String {
            default: (MachineDefaults::node, "the host's name"),
            value: Text(parse::node_name, "1 to 64 of A-Z a-z 0-9 . _ -"),
            help: "Name of this node in charts and rows",
        }
        poll_interval_ms: u32 {
            default: 3_000, value: Whole(250..=60_000), unit: "ms",
            help: "How often a poller asks, as the server tells it: the baseline of the comparison",
        }
        control_group_percent: u8 {
            default: 5, value: Whole(0..=50), unit: "percent",
            help: "Share of sessions that poll, as control group; 0 turns it off",
        }
        history_events: usize {
            default: 256, value: Whole(1..=10_000), unit: "events",
            help: "Events of a session that are kept for resuming",
        }
        history_ms: i64 {
            default: 600_000, value: Whole(1_000..=86_400_000), unit: "ms",
            help: "Time for which events of a session are kept for resuming",
        }
        abandon_after_ms: i64 {
            default: 3_600_000, value: Whole(1_000..=604_800_000), unit: "ms",
            help: "Time without an event after which a running session counts as abandoned",
        }
        ticket_ms: u64 {
            default: 3_600_000, value: Whole(1_000..=86_400_000), unit: "ms",
            help: "Lifetime of the ticket that comes with a new session",
        }
        region_header: Option<String> {
            default: none,
            value: Text(parse::header_name, "the name of a header"),
            help: "Header by which a trusted proxy names the region of a follower, such as cf-ipcountry. Without it and geoip_file, all followers have one region",
        }
        geoip_file: Option<PathBuf> {
            default: none,
            value: Text(parse::path, "the path of a file"),
            help: "MaxMind DB file (GeoLite2 Country or City) that gives the country of an address",
        }
        alerts: Option<PathBuf> {
            default: none,
            value: Text(parse::path, "the path of a file"),
            help: "YAML file with the alert rules and channels, which are read-only on the pages then. Without it they are in PostgreSQL and begin with the shipped rules",
        }
        trusted_proxies: Vec<Network> {
            default: "127.0.0.0/8,::1",
            value: Text(parse::networks, "networks such as 10.0.0.0/8, with commas between them"),
            help: "Networks of proxies, with commas between them. The server believes their region_header, X-Forwarded-For and X-Forwarded-Proto, and connections_per_address does not bound them",
        }
        probe_ms: Option<u32> {
            default: 10_000, value: OffOrWhole(1_000..=60_000), unit: "ms",
            help: "How often the node probes itself with a stream of its own; 0 turns it off",
        }
        keep_samples_days: u32 {
            default: 3, value: Whole(1..=3_650), unit: "days",
            help: "How long 10 s rows are kept",
        }
        keep_minutes_days: u32 {
            default: 35, value: Whole(1..=3_650), unit: "days",
            help: "How long rows of a minute are kept",
        }
        keep_hours_days: u32 {
            default: 400, value: Whole(1..=3_650), unit: "days",
            help: "How long rows of an hour are kept",
        }
        keep_days_days: u32 {
            default: 1_830, value: Whole(1..=3_650), unit: "days",
            help: "How long rows of a day are kept",
        }
        otlp_endpoint: Option<String> {
            default: none,
            value: Text(parse::http_url, "a URL such as http://127.0.0.1:4318"),
            help: "OpenTelemetry collector for traces and metrics, by OTLP over HTTP. Without it nothing is sent",
        }
        otlp_interval_ms: u32 {
            default: 10_000, value: Whole(100..=3_600_000), unit: "ms",
            help: "How often metrics are sent to the collector",
        }
        otlp_sample_ratio: f64 {
            default: 0.1, value: Number(0..=1),
            help: "Share of traces that are sent, where no publisher's traceparent decides it",
        }
        demo: bool {
            default: false,
            value: Switch(),
            help: "Make demo traffic",
        }
    }
    running {
        /// What file descriptors allow bounds it further.
        MaxConnections max_connections {
            default: 10_000, value: 1..=1_000_000, unit: "streams", step: 100,
            help: "Streams at once on this node; open files bound them further",
        }
        StreamsPerUserAndSession streams_per_user_and_session {
            default: 3, value: 1..=1_000, unit: "streams",
            help: "Streams at once of one user to one session, all nodes together",
        }
        StreamsPerUser streams_per_user {
            default: 0, value: 0..=1_000_000, unit: "streams",
            help: "Streams at once of one user on this node; 0 for no bound",
        }
        StreamsPerAddress streams_per_address {
            default: 0, value: 0..=1_000_000, unit: "streams",
            help: "Streams at once from one address on this node; 0 for no bound, because behind a proxy all have one address",
        }
        ConnectionsPerAddress connections_per_address {
            default: 2_000, value: 0..=1_000_000, unit: "connections",
            help: "Connections at once from one address, at most half of this node's; trusted_proxies have no bound; 0 for no bound",
        }
        HeartbeatMs heartbeat_ms {
            default: 15_000, value: 100..=120_000, unit: "ms", step: 1_000,
            help: "Silence after which a stream is sent a ping",
        }
        IdleCloseMs idle_close_ms {
            default: 300_000, value: 1_000..=86_400_000, unit: "ms", step: 1_000,
            help: "Time without an event after which a stream is closed",
        }
        /// The first event of a session goes at once, and its end never waits.
        BatchMs batch_ms {
            default: 0, value: 0..=1_000, unit: "ms", step: 10,
            help: "Least time between two writes of a session's events; the first goes at once",
        }
        DrainWindowMs drain_window_ms {
            default: 20_000, value: 0..=600_000, unit: "ms", step: 1_000,
            help: "Time within which a stopping node sends its streams away",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fmt::Write};

    #[test]
    fn each_setting_has_one_name_and_says_what_it_does() {
        let names: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.name).collect();
        assert_eq!(names.len(), SETTINGS.len());
        for setting in SETTINGS {
            assert!(!setting.help.is_empty() && !setting.help.ends_with('.'), "{}", setting.name);
            assert!(!setting.allowed.is_empty(), "{}", setting.name);
        }
    }

    #[test]
    fn a_tunable_reaches_its_default_and_its_most_by_whole_steps() {
        let tunables: Vec<_> = Limit::ALL
            .iter()
            .filter_map(|limit| match limit.setting().kind {
                Kind::Tunable { step } => Some((limit, step)),
                Kind::Fixed | Kind::Running => None,
            })
            .collect();
        for (limit, step) in &tunables {
            let (least, most) = limit.bounds();
            assert!(*step > 0 && most - least > *step, "{}", limit.name());
            assert_eq!((limit.default() % step, most % step), (0, 0), "{}", limit.name());
        }
        let names: Vec<_> = tunables.iter().map(|(limit, _)| limit.name()).collect();
        // Bounds of users and addresses are policy: the optimizer never changes them.
        assert_eq!(
            names,
            ["max_connections", "heartbeat_ms", "idle_close_ms", "batch_ms", "drain_window_ms"]
        );
    }

    #[test]
    fn help_names_the_range_the_unit_and_the_default() {
        let check = |name: &str, end: &str| {
            let setting = SETTINGS.iter().find(|setting| setting.name == name).expect(name);
            assert!(setting.help_text().ends_with(end), "{}", setting.help_text());
        };
        check("listen", "to listen on [default: 127.0.0.1:3000]");
        check("database_url", "instead of a private one");
        check("poll_interval_ms", "[250 to 60000 ms; default: 3000]");
        check("probe_ms", "[0, or 1000 to 60000 ms; default: 10000]");
        check("otlp_sample_ratio", "[0 to 1; default: 0.1]");
        check("demo", "[true or false; default: false]");
        check("batch_ms", "[0 to 1000 ms; default: 0]");
    }

    /// `UPDATE_DOCS=1` writes it.
    #[test]
    fn the_docs_have_this_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md");
        let mut table = String::from(
            "| setting | default | range | unit | changes | what it does |\n|---|---|---|---|---|---|\n",
        );
        for setting in SETTINGS {
            let changes = match setting.kind {
                Kind::Fixed => "at a start".to_owned(),
                Kind::Running => "`PATCH`".to_owned(),
                Kind::Tunable { step } => format!("`PATCH`, tunable by {step}"),
            };
            let _ = writeln!(
                table,
                "| `{}` | {} | {} | {} | {changes} | {} |",
                setting.name,
                setting.default.unwrap_or_default(),
                setting.bounds().unwrap_or_else(|| setting.allowed.to_owned()),
                setting.unit,
                setting.help,
            );
        }
        let docs = std::fs::read_to_string(path).expect("docs/settings.md");
        let (before, rest) = docs.split_once("<!-- settings -->\n").expect("a beginning");
        let (found, after) = rest.split_once("<!-- end -->").expect("an end");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            let new = format!("{before}<!-- settings -->\n{table}<!-- end -->{after}");
            std::fs::write(path, new).expect("written");
        } else {
            assert_eq!(found, table, "run the core tests once with UPDATE_DOCS=1");
        }
    }
}
