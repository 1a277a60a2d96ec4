//! Typed settings out of strings, with the sentence that a bad value earns.
//!
//! A value may come from a file, the environment or a flag; each overrides the one before, and all are
//! checked by the same rules here.

use crate::history::HistoryLimits;
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

/// One setting: its key in a file; `STREAMGAUGE_` and the key in capitals in the environment; `--` with
/// dashes as a flag.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub help: &'static str,
    /// What is allowed, as the end of the sentence "… must be ….".
    pub allowed: &'static str,
}

macro_rules! keys {
    ($($name:ident: $help:literal, $allowed:literal;)*) => {
        /// Every setting there is, in the order of the documentation.
        pub const KEYS: &[Key] = &[$(Key { name: stringify!($name), help: $help, allowed: $allowed },)*];
    };
}

keys! {
    listen: "Address and port to listen on [default: 127.0.0.1:3000]",
        "an address and a port such as 127.0.0.1:3000, on the loopback interface as long as access is open";
    data_dir: "Folder for what this node keeps, the private PostgreSQL among it [default: /var/lib/streamgauge as root, else ~/.local/share/streamgauge]",
        "the path of a folder";
    database_url: "PostgreSQL to use instead of a private one",
        "a URL that starts with postgres:// or postgresql://";
    redis_url: "Redis that joins several nodes; without it this node is alone",
        "a URL that starts with redis:// or unix:///";
    node: "Name of this node in charts and rows [default: the host's name]",
        "1 to 64 of A-Z a-z 0-9 . _ -";
    max_connections: "Streams at once on this node [default: 10000]",
        "a whole number from 1 to 1000000";
    poll_interval_ms: "How often a poller is told to ask, ms: the baseline [default: 3000]",
        "a whole number from 250 to 60000";
    control_group_percent: "Sessions told to poll, as control group, percent; 0 turns it off [default: 5]",
        "a whole number from 0 to 50";
    heartbeat_ms: "Silence after which a stream is sent a ping, ms [default: 15000]",
        "a whole number from 100 to 120000";
    idle_close_ms: "Time without an event after which a stream is closed, ms [default: 300000]",
        "a whole number from 1000 to 86400000";
    history_events: "Events of a session that are kept for resuming [default: 256]",
        "a whole number from 1 to 10000";
    history_ms: "Time for which they are kept, ms [default: 600000]",
        "a whole number from 1000 to 86400000";
    abandon_after_ms: "Time without an event after which a running session counts as abandoned, ms [default: 3600000]",
        "a whole number from 1000 to 604800000";
    demo: "Make demo traffic [default: false]",
        "true or false";
}

/// The settings of one node.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub database_url: Option<String>,
    pub redis_url: Option<String>,
    pub node: String,
    pub max_connections: u32,
    pub poll_interval_ms: u32,
    pub control_group_percent: u8,
    pub heartbeat_ms: u64,
    pub idle_close_ms: u64,
    pub history: HistoryLimits,
    pub abandon_after_ms: i64,
    pub demo: bool,
}

/// What the machine says where no setting does.
#[derive(Clone, Debug)]
pub struct MachineDefaults {
    pub data_dir: PathBuf,
    pub host: String,
}

/// Reads like: `progress = "x" in the environment: max_connections must be a whole number …`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    #[error("{key} is {value:?} in {source_name}, but must be {allowed}.")]
    Value { key: &'static str, value: String, source_name: String, allowed: &'static str },
    #[error("{key:?} in {source_name} is no setting; the settings are {}.", names())]
    Unknown { key: String, source_name: String },
}

fn names() -> String {
    KEYS.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")
}

/// Raw values by key, each with the name of where it stood.
#[derive(Clone, Debug, Default)]
pub struct RawSettings(BTreeMap<&'static str, (String, String)>);

impl RawSettings {
    /// Adds a value; what was there before is overridden.
    pub fn set(&mut self, key: &str, value: String, source_name: &str) -> Result<(), BadSetting> {
        let known = KEYS.iter().find(|known| known.name == key);
        let known = known.ok_or_else(|| BadSetting::Unknown {
            key: key.to_owned(),
            source_name: source_name.to_owned(),
        })?;
        self.0.insert(known.name, (value, source_name.to_owned()));
        Ok(())
    }

    pub fn settings(&self, machine: MachineDefaults) -> Result<Settings, BadSetting> {
        let limits = HistoryLimits::default();
        let starts = |prefixes: &'static [&'static str]| {
            move |text: &str| prefixes.iter().any(|p| text.starts_with(p)).then(|| text.to_owned())
        };
        Ok(Settings {
            listen: self.read("listen", loopback)?.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 3000))),
            data_dir: self.read("data_dir", non_empty)?.map_or(machine.data_dir, PathBuf::from),
            database_url: self.read("database_url", starts(&["postgres://", "postgresql://"]))?,
            redis_url: self.read("redis_url", starts(&["redis://", "unix:///"]))?,
            node: self
                .read("node", node_name)?
                .unwrap_or_else(|| node_name(&machine.host).unwrap_or("node".into())),
            max_connections: self.whole("max_connections", 1, 1_000_000)?.unwrap_or(10_000),
            poll_interval_ms: self.whole("poll_interval_ms", 250, 60_000)?.unwrap_or(3_000),
            control_group_percent: self.whole("control_group_percent", 0, 50)?.unwrap_or(5),
            heartbeat_ms: self.whole("heartbeat_ms", 100, 120_000)?.unwrap_or(15_000),
            idle_close_ms: self.whole("idle_close_ms", 1_000, 86_400_000)?.unwrap_or(300_000),
            history: HistoryLimits {
                events: self.whole("history_events", 1, 10_000)?.unwrap_or(limits.events),
                age_ms: self.whole("history_ms", 1_000, 86_400_000)?.unwrap_or(limits.age_ms),
            },
            abandon_after_ms: self.whole("abandon_after_ms", 1_000, 604_800_000)?.unwrap_or(3_600_000),
            demo: self.read("demo", |text| text.parse().ok())?.unwrap_or(false),
        })
    }

    fn read<T>(&self, key: &'static str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, BadSetting> {
        let Some((value, source_name)) = self.0.get(key) else { return Ok(None) };
        if let Some(parsed) = parse(value.trim()) {
            return Ok(Some(parsed));
        }
        let allowed = KEYS.iter().find(|known| known.name == key).map_or("", |known| known.allowed);
        // A URL may hold a password: the message goes to a terminal and to logs.
        let value = if key.ends_with("_url") { "(not shown)".to_owned() } else { value.clone() };
        Err(BadSetting::Value { key, value, source_name: source_name.clone(), allowed })
    }

    fn whole<T: TryFrom<u64>>(
        &self,
        key: &'static str,
        least: u64,
        most: u64,
    ) -> Result<Option<T>, BadSetting> {
        self.read(key, |text| {
            let number: u64 = text.parse().ok()?;
            (least..=most).contains(&number).then(|| T::try_from(number).ok())?
        })
    }
}

/// Access is open to whoever can connect, so only this machine may.
fn loopback(text: &str) -> Option<SocketAddr> {
    let text = text.strip_prefix("localhost:").map_or(text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse().ok().filter(|address: &SocketAddr| address.ip().is_loopback())
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn node_name(text: &str) -> Option<String> {
    let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    ((1..=64).contains(&text.len()) && text.chars().all(good)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let mut raw = RawSettings::default();
        for (key, value) in pairs {
            raw.set(key, (*value).to_owned(), "the environment").map_err(|error| error.to_string())?;
        }
        let machine = MachineDefaults { data_dir: "/data".into(), host: "fra-1".into() };
        raw.settings(machine).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_those_of_the_protocol() {
        let settings = settings(&[]).expect("defaults");
        assert_eq!(settings.listen.to_string(), "127.0.0.1:3000");
        assert_eq!((settings.poll_interval_ms, settings.control_group_percent), (3_000, 5));
        assert_eq!((settings.heartbeat_ms, settings.idle_close_ms), (15_000, 300_000));
        assert_eq!((settings.history.events, settings.history.age_ms), (256, 600_000));
        assert_eq!(settings.node, "fra-1");
    }

    #[test]
    fn a_bad_value_earns_one_sentence() {
        let check = |key, value, expected: &str| {
            let error = settings(&[(key, value)]).expect_err(expected);
            assert!(error.contains(expected) && error.contains(key), "{error}");
        };
        check("listen", "3000", "must be an address and a port");
        check("listen", "0.0.0.0:3000", "on the loopback interface");
        check("max_connections", "0", "\"0\" in the environment");
        check("max_connections", "many", "a whole number from 1 to 1000000");
        check("control_group_percent", "51", "from 0 to 50");
        check("demo", "yes", "true or false");
        check("node", "a b", "1 to 64 of");
        check("data_dir", "", "the path of a folder");
        check("heartbeat", "1", "is no setting");
        let secret = settings(&[("database_url", "mysql://u:secret@h/d")]).expect_err("a wrong scheme");
        assert!(!secret.contains("secret") && secret.contains("postgres://"), "{secret}");
    }

    #[test]
    fn the_last_word_counts() {
        let settings = settings(&[("listen", "127.0.0.1:1"), ("listen", "localhost:3100")]).expect("good");
        assert_eq!(settings.listen.port(), 3100);
    }
}
