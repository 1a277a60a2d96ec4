//! Typed settings out of strings, with the sentence that a bad value earns.
//!
//! A value may come from a file, the environment or a flag; each overrides the one before, and all are
//! checked by the same rules here.

use super::{
    parse,
    table::{SETTINGS, Settings},
};
use crate::session::history::HistoryLimits;
use std::{collections::BTreeMap, path::PathBuf};

/// Where traces and metrics are sent to.
#[derive(Clone, Debug, PartialEq)]
pub struct Otlp {
    /// Without a slash at its end.
    pub endpoint: String,
    pub interval_ms: u32,
    /// 0 to 1.
    pub sample_ratio: f64,
}

/// What the machine says where no setting does.
#[derive(Clone, Debug)]
pub struct MachineDefaults {
    pub data_dir: PathBuf,
    pub host: String,
}

impl MachineDefaults {
    pub(super) fn data_dir(&self) -> PathBuf {
        self.data_dir.clone()
    }

    /// A name for the node.
    pub(super) fn node(&self) -> String {
        parse::node_name(&self.host).unwrap_or_else(|| "node".to_owned())
    }
}

/// Reads like: `max_connections is "x" in the environment, but must be a whole number …`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    #[error("{key} is {value:?} in {source_name}, but must be {allowed}.")]
    Value { key: &'static str, value: String, source_name: String, allowed: &'static str },
    #[error("{key:?} in {source_name} is no setting; the settings are {}.", names())]
    Unknown { key: String, source_name: String },
}

fn names() -> String {
    SETTINGS.iter().map(|setting| setting.name).collect::<Vec<_>>().join(", ")
}

/// Raw values by key, each with the name of where it stood.
#[derive(Clone, Debug, Default)]
pub struct RawSettings(BTreeMap<&'static str, (String, String)>);

impl RawSettings {
    /// Adds a value; what was there before is overridden.
    pub fn set(&mut self, key: &str, value: String, source_name: &str) -> Result<(), BadSetting> {
        let known = SETTINGS.iter().find(|known| known.name == key);
        let known = known.ok_or_else(|| BadSetting::Unknown {
            key: key.to_owned(),
            source_name: source_name.to_owned(),
        })?;
        self.0.insert(known.name, (value, source_name.to_owned()));
        Ok(())
    }

    pub fn settings(&self, machine: MachineDefaults) -> Result<Settings, BadSetting> {
        Settings::read(self, &machine)
    }

    /// The value, or what the table says where there is none.
    pub(super) fn read_or<T>(
        &self,
        name: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        default: &'static str,
    ) -> Result<T, BadSetting> {
        if let Some(value) = self.read(name, &parse)? {
            return Ok(value);
        }
        // A test reads all defaults: none of them is refused.
        parse(default).ok_or_else(|| BadSetting::Value {
            key: name,
            value: default.to_owned(),
            source_name: "its default".to_owned(),
            allowed: allowed(name),
        })
    }

    pub(super) fn read<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, BadSetting> {
        let Some((value, source_name)) = self.0.get(key) else { return Ok(None) };
        if let Some(parsed) = parse(value.trim()) {
            return Ok(Some(parsed));
        }
        // A URL may hold a password: the message goes to a terminal and to logs.
        let value = if key.ends_with("_url") || key.ends_with("_endpoint") {
            "(not shown)".to_owned()
        } else {
            value.clone()
        };
        Err(BadSetting::Value { key, value, source_name: source_name.clone(), allowed: allowed(key) })
    }
}

fn allowed(name: &str) -> &'static str {
    SETTINGS.iter().find(|known| known.name == name).map_or("", |known| known.allowed)
}

/// Settings that belong together.
impl Settings {
    pub fn history(&self) -> HistoryLimits {
        HistoryLimits { events: self.history_events, age_ms: self.history_ms }
    }

    /// Days for which rows are kept: 10 s, minutes, hours, days.
    pub fn keep_days(&self) -> [u32; 4] {
        [self.keep_samples_days, self.keep_minutes_days, self.keep_hours_days, self.keep_days_days]
    }

    /// `None`: off.
    pub fn otlp(&self) -> Option<Otlp> {
        let endpoint = self.otlp_endpoint.clone()?;
        Some(Otlp { endpoint, interval_ms: self.otlp_interval_ms, sample_ratio: self.otlp_sample_ratio })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::setting::Range;

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
        assert_eq!((settings.limits.heartbeat_ms, settings.limits.idle_close_ms), (15_000, 300_000));
        assert_eq!(settings.history(), HistoryLimits::default());
        assert_eq!((settings.history_events, settings.history_ms), (256, 600_000));
        assert_eq!((settings.probe_ms, settings.keep_days()), (Some(10_000), [3, 35, 400, 1_830]));
        assert!(settings.redis_plain && !settings.demo && settings.allowed_hosts.is_none());
        assert_eq!(settings.trusted_proxies.len(), 2);
        assert_eq!(settings.data_dir, PathBuf::from("/data"));
        assert_eq!(settings.node, "fra-1");
    }

    #[test]
    fn a_bad_value_earns_one_sentence() {
        let check = |key, value, expected: &str| {
            let error = settings(&[(key, value)]).expect_err(expected);
            assert!(error.contains(expected) && error.contains(key), "{error}");
        };
        check("listen", "3000", "must be an address and a port");
        check("max_connections", "0", "\"0\" in the environment");
        check("max_connections", "many", "a whole number from 1 to 1000000");
        check("control_group_percent", "51", "from 0 to 50");
        check("demo", "yes", "true or false");
        check("node", "a b", "1 to 64 of");
        check("data_dir", "", "the path of a folder");
        check("public_url", "https://me@status.example.com", "a URL such as https://status.example.com");
        check("public_url", "status.example.com", "http or https");
        check("allowed_hosts", "status.example.com:443", "without port");
        check("otlp_endpoint", "https://collector", "http://127.0.0.1:4318");
        check("otlp_endpoint", "http:///", "http://127.0.0.1:4318");
        check("otlp_sample_ratio", "1.1", "a number from 0 to 1");
        check("otlp_sample_ratio", "NaN", "a number from 0 to 1");
        check("heartbeat", "1", "is no setting");
        for bad in ["http://h", "redis://a,b", "redis-cluster://a,,b", "redis-cluster://", "unix://h"] {
            check("redis_url", bad, "redis-cluster:// with the addresses");
        }
        for bad in [
            "redis-sentinel://a",
            "redis-sentinel://a/",
            "redis-sentinel://a,,b/m",
            "redis-sentinel:///m",
            "redis-sentinel://u:p@/m",
            "redis-sentinel://a/m n",
            "redis-sentinel://a/m/x",
            "redis-sentinel://a/m/1/2",
            "redis-sentinel://a/m?password=p",
        ] {
            check("redis_url", bad, "their name for the primary");
        }
        check("redis_url", "rediss://h", "rediss:// is not spoken");
        let secret = settings(&[("database_url", "mysql://u:secret@h/d")]).expect_err("a wrong scheme");
        assert!(!secret.contains("secret") && secret.contains("postgres://"), "{secret}");
    }

    #[test]
    fn the_scheme_says_which_redis_it_is() {
        let good = [
            "redis://h",
            "redis://u:p@h:1/2",
            "unix:///r.sock",
            "redis-cluster://h",
            "redis-cluster://u:p,w@a:1,b:2",
            "redis-sentinel://h/main",
            "redis-sentinel://u:p@a:1,b,[::1]:2/main.1-a_b/3?sentinel_auth=s:q",
        ];
        for url in good {
            let settings = settings(&[("redis_url", url)]).expect(url);
            assert_eq!(settings.redis_url.as_deref(), Some(url));
        }
    }

    #[test]
    fn telemetry_is_off_without_an_endpoint() {
        let read = |pairs: &[(&str, &str)]| settings(pairs).expect("good").otlp();
        assert_eq!(read(&[("otlp_sample_ratio", "1")]), None);
        let otlp =
            read(&[("otlp_endpoint", "http://h:4318/"), ("otlp_sample_ratio", "1")]).expect("an endpoint");
        assert_eq!(
            (otlp.endpoint.as_str(), otlp.interval_ms, otlp.sample_ratio),
            ("http://h:4318", 10_000, 1.0)
        );
    }

    #[test]
    fn zero_turns_the_probe_off_and_is_no_period() {
        let probe = |value| settings(&[("probe_ms", value)]).map(|settings| settings.probe_ms);
        assert_eq!(
            (probe("0"), probe("1000"), probe("60000")),
            (Ok(None), Ok(Some(1_000)), Ok(Some(60_000)))
        );
        for bad in ["1", "999", "60001", "-0"] {
            let error = probe(bad).expect_err(bad);
            assert!(error.contains("must be 0, or a whole number from 1000 to 60000"), "{error}");
        }
    }

    #[test]
    fn every_bound_of_a_whole_number_is_allowed_and_nothing_beyond_it() {
        for setting in SETTINGS {
            let Range::Whole { least, most } = setting.range else { continue };
            let is_allowed = |number: u64| settings(&[(setting.name, &number.to_string())]).is_ok();
            assert!(is_allowed(least) && is_allowed(most) && !is_allowed(most + 1), "{}", setting.name);
            assert!(least == 0 || !is_allowed(least - 1), "{}", setting.name);
        }
    }

    #[test]
    fn the_last_word_counts() {
        let settings = settings(&[("listen", "127.0.0.1:1"), ("listen", "localhost:3100")]).expect("good");
        assert_eq!(settings.listen.port(), 3100);
    }
}
