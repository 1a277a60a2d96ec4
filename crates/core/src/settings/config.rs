//! Typed settings out of strings, with the sentence that a bad value earns.
//!
//! A value may come from a file, the environment or a flag; each overrides the one before, and all are
//! checked by the same rules here.

use crate::{
    access::site::{PublicUrl, host_names},
    metric::region::Network,
    session::history::HistoryLimits,
    settings::limits::{Knob, Limits},
};
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
        /// Those that stand while the server runs.
        const FIXED: &[Key] = &[$(Key { name: stringify!($name), help: $help, allowed: $allowed },)*];
    };
}

keys! {
    listen: "Address and port to listen on [default: 127.0.0.1:3000]",
        "an address and a port such as 127.0.0.1:3000";
    public_url: "Address at which people reach this server, for links that leave it [default: http://localhost:PORT while access is open]",
        "a URL such as https://status.example.com: http or https, a host, and neither a user nor a query nor a fragment";
    allowed_hosts: "Other names that the server answers to, with commas between them; loopback names, addresses and the name in public_url are always answered. Without this and public_url, a server with keys answers to every name",
        "names such as status.example.com, without port, with commas between them";
    data_dir: "Folder for what this node keeps, the private PostgreSQL among it [default: /var/lib/streamgauge as root, else ~/.local/share/streamgauge]",
        "the path of a folder";
    database_url: "PostgreSQL to use instead of a private one",
        "a URL that starts with postgres:// or postgresql://";
    redis_url: "Redis that joins several nodes: redis://HOST, or redis-sentinel://HOST:PORT,HOST:PORT/NAME where Sentinels know the primary, or redis-cluster://HOST:PORT,HOST:PORT for a Redis Cluster; without it this node is alone",
        "redis://HOST[:PORT], unix:///PATH, redis-sentinel:// with the addresses of the Sentinels and, after a slash, their name for the primary, or redis-cluster:// with the addresses of some of its nodes, with commas between addresses; rediss:// is not spoken: let a tunnel do TLS";
    redis_plain: "Take in what back ends PUBLISH to session:ID:status in Redis by themselves [default: true]",
        "true or false";
    node: "Name of this node in charts and rows [default: the host's name]",
        "1 to 64 of A-Z a-z 0-9 . _ -";
    poll_interval_ms: "How often a poller is told to ask, ms: the baseline [default: 3000]",
        "a whole number from 250 to 60000";
    control_group_percent: "Sessions told to poll, as control group, percent; 0 turns it off [default: 5]",
        "a whole number from 0 to 50";
    history_events: "Events of a session that are kept for resuming [default: 256]",
        "a whole number from 1 to 10000";
    history_ms: "Time for which they are kept, ms [default: 600000]",
        "a whole number from 1000 to 86400000";
    abandon_after_ms: "Time without an event after which a running session counts as abandoned, ms [default: 3600000]",
        "a whole number from 1000 to 604800000";
    ticket_ms: "How long the ticket lives that comes with a new session, ms [default: 3600000]",
        "a whole number from 1000 to 86400000";
    region_header: "Header by which a trusted proxy says where a follower is, such as cf-ipcountry; without it, or geoip_file, no regions are told apart",
        "the name of a header";
    geoip_file: "MaxMind DB file (GeoLite2 Country or City) that says in which country an address is",
        "the path of a file";
    trusted_proxies: "Networks of proxies whose headers are believed, with commas between them [default: 127.0.0.0/8,::1]",
        "networks such as 10.0.0.0/8, with commas between them";
    probe_ms: "How often the node probes itself with a stream of its own, ms; 0 turns it off [default: 10000]",
        "0, or a whole number from 1000 to 60000";
    keep_samples_days: "Days for which 10 s rows are kept [default: 3]",
        "a whole number from 1 to 3650";
    keep_minutes_days: "The same for rows of a minute [default: 35]",
        "a whole number from 1 to 3650";
    keep_hours_days: "The same for rows of an hour [default: 400]",
        "a whole number from 1 to 3650";
    keep_days_days: "The same for rows of a day [default: 1830]",
        "a whole number from 1 to 3650";
    otlp_endpoint: "OpenTelemetry collector that is sent traces and metrics, by OTLP over HTTP; without it nothing is sent",
        "a URL such as http://127.0.0.1:4318";
    otlp_interval_ms: "How often it is sent metrics, ms [default: 10000]",
        "a whole number from 100 to 3600000";
    otlp_sample_ratio: "Share of traces that are sent, where no publisher's traceparent decides it [default: 0.1]",
        "a number from 0 to 1";
    demo: "Make demo traffic [default: false]",
        "true or false";
}

const COUNT: usize = FIXED.len() + Knob::ALL.len();

/// Every setting there is: those that stand, then the limits.
pub const KEYS: &[Key] = &{
    let mut keys = [FIXED[0]; COUNT];
    let mut index = 0;
    while index < COUNT {
        keys[index] = if index < FIXED.len() {
            FIXED[index]
        } else {
            let knob = Knob::ALL[index - FIXED.len()];
            Key { name: knob.name(), help: knob.help(), allowed: knob.allowed() }
        };
        index += 1;
    }
    keys
};

/// The settings of one node.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub listen: SocketAddr,
    pub public_url: Option<PublicUrl>,
    /// Names that the server answers to besides that of `public_url`.
    pub allowed_hosts: Vec<String>,
    pub data_dir: PathBuf,
    pub database_url: Option<String>,
    pub redis_url: Option<String>,
    pub redis_plain: bool,
    pub node: String,
    pub poll_interval_ms: u32,
    pub control_group_percent: u8,
    pub limits: Limits,
    pub history: HistoryLimits,
    pub abandon_after_ms: i64,
    pub ticket_ms: u64,
    pub region_header: Option<String>,
    pub geoip_file: Option<PathBuf>,
    pub trusted_proxies: Vec<Network>,
    /// `None`: off.
    pub probe_ms: Option<u32>,
    /// Days for which rows are kept: 10 s, minutes, hours, days.
    pub keep_days: [u32; 4],
    /// `None`: off.
    pub otlp: Option<Otlp>,
    pub demo: bool,
}

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
        let history = HistoryLimits::default();
        let starts = |prefixes: &'static [&'static str]| {
            move |text: &str| prefixes.iter().any(|p| text.starts_with(p)).then(|| text.to_owned())
        };
        Ok(Settings {
            listen: self.read("listen", address)?.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 3000))),
            public_url: self.read("public_url", PublicUrl::parse)?,
            allowed_hosts: self.read("allowed_hosts", host_names)?.unwrap_or_default(),
            data_dir: self.read("data_dir", non_empty)?.map_or(machine.data_dir, PathBuf::from),
            database_url: self.read("database_url", starts(&["postgres://", "postgresql://"]))?,
            redis_url: self.read("redis_url", redis_url)?,
            redis_plain: self.read("redis_plain", |text| text.parse().ok())?.unwrap_or(true),
            node: self
                .read("node", node_name)?
                .unwrap_or_else(|| node_name(&machine.host).unwrap_or("node".into())),
            poll_interval_ms: self.whole("poll_interval_ms", 250, 60_000)?.unwrap_or(3_000),
            control_group_percent: self.whole("control_group_percent", 0, 50)?.unwrap_or(5),
            limits: self.limits()?,
            history: HistoryLimits {
                events: self.whole("history_events", 1, 10_000)?.unwrap_or(history.events),
                age_ms: self.whole("history_ms", 1_000, 86_400_000)?.unwrap_or(history.age_ms),
            },
            abandon_after_ms: self.whole("abandon_after_ms", 1_000, 604_800_000)?.unwrap_or(3_600_000),
            ticket_ms: self.whole("ticket_ms", 1_000, 86_400_000)?.unwrap_or(3_600_000),
            region_header: self.read("region_header", header_name)?,
            geoip_file: self.read("geoip_file", non_empty)?.map(PathBuf::from),
            trusted_proxies: self
                .read("trusted_proxies", networks)?
                .unwrap_or_else(|| networks("127.0.0.0/8,::1").unwrap_or_default()),
            probe_ms: self
                .read("probe_ms", |text| {
                    text.parse().ok().filter(|ms| *ms == 0 || (1_000..=60_000).contains(ms))
                })?
                .map_or(Some(10_000), |ms| Some(ms).filter(|&ms| ms > 0)),
            keep_days: [
                self.whole("keep_samples_days", 1, 3_650)?.unwrap_or(3),
                self.whole("keep_minutes_days", 1, 3_650)?.unwrap_or(35),
                self.whole("keep_hours_days", 1, 3_650)?.unwrap_or(400),
                self.whole("keep_days_days", 1, 3_650)?.unwrap_or(1_830),
            ],
            otlp: self.otlp()?,
            demo: self.read("demo", |text| text.parse().ok())?.unwrap_or(false),
        })
    }

    fn otlp(&self) -> Result<Option<Otlp>, BadSetting> {
        let interval_ms = self.whole("otlp_interval_ms", 100, 3_600_000)?.unwrap_or(10_000);
        let sample_ratio = self.read("otlp_sample_ratio", ratio)?.unwrap_or(0.1);
        let endpoint = self.read("otlp_endpoint", http_url)?;
        Ok(endpoint.map(|endpoint| Otlp { endpoint, interval_ms, sample_ratio }))
    }

    fn limits(&self) -> Result<Limits, BadSetting> {
        let mut limits = Limits::default();
        for &knob in Knob::ALL {
            let (least, most) = knob.bounds();
            if let Some(value) = self.whole(knob.name(), least.into(), most.into())? {
                limits.put(knob, value);
            }
        }
        Ok(limits)
    }

    fn read<T>(&self, key: &'static str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, BadSetting> {
        let Some((value, source_name)) = self.0.get(key) else { return Ok(None) };
        if let Some(parsed) = parse(value.trim()) {
            return Ok(Some(parsed));
        }
        let allowed = KEYS.iter().find(|known| known.name == key).map_or("", |known| known.allowed);
        // A URL may hold a password: the message goes to a terminal and to logs.
        let value = if key.ends_with("_url") || key.ends_with("_endpoint") {
            "(not shown)".to_owned()
        } else {
            value.clone()
        };
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

fn address(text: &str) -> Option<SocketAddr> {
    let text = text.strip_prefix("localhost:").map_or(text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse().ok()
}

/// The scheme says which it is, so that one address of a cluster is never taken for a Redis that stands alone.
fn redis_url(text: &str) -> Option<String> {
    let hosts = |rest: &str| {
        rest.rsplit('@').next().unwrap_or_default().split('/').next().unwrap_or_default().to_owned()
    };
    let several = |hosts: String| hosts.split(',').all(|host| !host.is_empty());
    let good = if let Some(rest) = text.strip_prefix("redis-cluster://") {
        several(hosts(rest))
    } else if let Some(rest) = text.strip_prefix("redis-sentinel://") {
        let rest = rest.split_once("?sentinel_auth=").map_or(rest, |(rest, _)| rest);
        several(hosts(rest)) && names_a_primary(rest)
    } else if let Some(rest) = text.strip_prefix("redis://") {
        !hosts(rest).contains(',')
    } else {
        text.starts_with("unix:///")
    };
    good.then(|| text.to_owned())
}

/// `HOSTS/NAME[/DATABASE]`: the name of what Sentinels allow in one.
fn names_a_primary(rest: &str) -> bool {
    let parts: Vec<&str> = rest.rsplit('@').next().unwrap_or_default().split('/').skip(1).collect();
    let (name, database) = match parts.as_slice() {
        [name] => (*name, "0"),
        [name, database] => (*name, *database),
        _ => return false,
    };
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !name.is_empty() && name.bytes().all(good) && database.parse::<u32>().is_ok()
}

fn networks(text: &str) -> Option<Vec<Network>> {
    text.split(',').map(|network| Network::parse(network.trim())).collect()
}

/// In small letters.
fn header_name(text: &str) -> Option<String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    ((1..=64).contains(&text.len()) && text.bytes().all(good)).then(|| text.to_ascii_lowercase())
}

/// Without TLS, which is the collector's business beside the server.
fn http_url(text: &str) -> Option<String> {
    let rest = text.strip_prefix("http://")?.trim_end_matches('/');
    let good = !rest.is_empty() && !rest.contains(['?', '#', ' ']);
    good.then(|| format!("http://{rest}"))
}

fn ratio(text: &str) -> Option<f64> {
    text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio))
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
        assert_eq!((settings.limits.heartbeat_ms, settings.limits.idle_close_ms), (15_000, 300_000));
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
        let read = |pairs: &[(&str, &str)]| settings(pairs).expect("good").otlp;
        assert_eq!(read(&[("otlp_sample_ratio", "1")]), None);
        let otlp =
            read(&[("otlp_endpoint", "http://h:4318/"), ("otlp_sample_ratio", "1")]).expect("an endpoint");
        assert_eq!(
            (otlp.endpoint.as_str(), otlp.interval_ms, otlp.sample_ratio),
            ("http://h:4318", 10_000, 1.0)
        );
    }

    #[test]
    fn the_last_word_counts() {
        let settings = settings(&[("listen", "127.0.0.1:1"), ("listen", "localhost:3100")]).expect("good");
        assert_eq!(settings.listen.port(), 3100);
    }
}
