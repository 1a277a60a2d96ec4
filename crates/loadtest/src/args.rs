//! The command line. A bad value earns one sentence: the key, the value, what is allowed.

use crate::{
    run::{Options, RunError},
    scenario::{self, EMBEDDED, Given, span},
    wire::target,
};
use clap::Parser;
use std::{fs, path::PathBuf, time::Duration};
use streamgauge_core::load_test::Changes;

/// Run a load test against a server and judge it by the benchmarks
#[derive(Parser, Debug)]
#[command(
    name = "loadtest",
    after_help = "Scenarios: ramp, burst and extended are the epic's; idle holds streams and weighs them; limit raises \
                  the rate until something gives. A path to a file of the same shape works too.\n\n\
                  Exit status: 0 all targets met, 1 a target missed, 64 bad usage, 69 the server cannot be reached, 73 a file \
                  cannot be written, 77 the server does not take the key."
)]
pub struct Args {
    /// ramp, burst, extended, idle, limit, or the path of a scenario file
    pub scenario: String,
    /// The server that publishers talk to
    #[arg(long, default_value = "http://127.0.0.1:3000")]
    pub url: String,
    /// The node that followers stream from, where it is another than the publishers' [default: as --url]
    #[arg(long, value_name = "URL")]
    pub follow_url: Option<String>,
    /// Multiplies the scenario's times; rates and counts stay
    #[arg(long, default_value = "1", value_name = "FACTOR")]
    pub time_scale: String,
    /// Streams, instead of the scenario's
    #[arg(long)]
    pub streams: Option<String>,
    /// Sessions, instead of the scenario's
    #[arg(long)]
    pub sessions: Option<String>,
    /// Messages a second for each session, instead of the scenario's
    #[arg(long)]
    pub rate: Option<String>,
    /// New streams a second while they open, instead of the scenario's
    #[arg(long)]
    pub arrivals: Option<String>,
    /// How long messages are sent, such as 90s or 5m, instead of the scenario's
    #[arg(long)]
    pub duration: Option<String>,
    /// Collect messages for so long, such as 10ms, and publish them in one request: a back end that reports for all of
    /// its sessions over one connection
    #[arg(long)]
    pub batch: Option<String>,
    /// API key for publishing
    #[arg(long, env = "STREAMGAUGE_API_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// The server's process, for its memory and CPU [default: the process that listens at --url, on this machine]
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<String>,
    /// Threads that make the load [default: half of the cores]
    #[arg(long)]
    pub threads: Option<String>,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the result as one HTML page with charts
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Do not post the result to the server
    #[arg(long)]
    pub no_post: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum BadUsage {
    #[error("{key} is {value:?}, but must be {allowed}.")]
    Value { key: &'static str, value: String, allowed: &'static str },
    #[error(
        "scenario is {0:?}, but must be ramp, burst, extended, idle, limit or the path of a readable file: {1}."
    )]
    NoScenario(String, std::io::Error),
    #[error("key must have visible ASCII characters only.")]
    Key,
    #[error(transparent)]
    Scenario(#[from] scenario::BadScenario),
    #[error(transparent)]
    Override(#[from] scenario::BadOverride),
}

const COUNT: &str = "a whole number from 1 to 1000000";
const RATE: &str = "a number above 0, up to 100000";

impl Args {
    /// `Err` in the second place: the name in a URL could not be looked up.
    pub fn options(&self) -> Result<Result<Options, RunError>, BadUsage> {
        let time_scale = number("time-scale", &self.time_scale, 100.0, "a number above 0, up to 100")?;
        let count = |key, value: &Option<String>| {
            value.as_deref().map(|v| whole(key, v, 1_000_000, COUNT)).transpose()
        };
        let rate =
            |key, value: &Option<String>| value.as_deref().map(|v| number(key, v, 1e5, RATE)).transpose();
        let given = Given {
            streams: count("streams", &self.streams)?,
            sessions: count("sessions", &self.sessions)?,
            rate: rate("rate", &self.rate)?,
            arrivals: rate("arrivals", &self.arrivals)?,
            duration: self.duration.as_deref().map(|text| time("duration", text)).transpose()?,
        };
        let batch = self.batch.as_deref().map(|text| time("batch", text)).transpose()?;
        let threads = self.threads.as_deref().map(|v| whole("threads", v, 64, "a whole number from 1 to 64"));
        let pid = self.server_pid.as_deref().map(|v| whole("server-pid", v, 1 << 22, "the id of a process"));
        let pid = pid.transpose()?;
        let follow_url = self.follow_url.as_ref().unwrap_or(&self.url);
        let authorities = (authority("url", &self.url)?, authority("follow-url", follow_url)?);
        // It goes into a header: a line break in it would be another one.
        let key = self.key.clone().filter(|key| !key.is_empty());
        if key.as_ref().is_some_and(|key| !key.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(BadUsage::Key);
        }
        let threads = threads.transpose()?.unwrap_or_else(|| (crate::host::cores() / 2).max(1));
        let changes = Changes {
            follow_url: self.follow_url.clone(),
            batch_ms: batch.map(|batch| batch.as_secs_f64() * 1_000.0),
            ..given.changes()
        };
        let scenario = given.apply(self.scenario()?.scaled(time_scale))?;
        let found = resolve(&self.url, authorities.0)
            .and_then(|target| Ok((target, resolve(follow_url, authorities.1)?)));
        Ok(found.map(|(target, follow)| Options {
            threads: threads.min(scenario.sessions),
            scenario,
            time_scale,
            changes,
            url: self.url.clone(),
            target,
            follow,
            key,
            server_pid: pid.map(u32::cast_signed),
            batch,
        }))
    }

    fn scenario(&self) -> Result<scenario::Scenario, BadUsage> {
        if let Some((name, text)) = EMBEDDED.iter().find(|(name, _)| *name == self.scenario) {
            return Ok(scenario::read(name, text, name)?);
        }
        let text = fs::read_to_string(&self.scenario)
            .map_err(|error| BadUsage::NoScenario(self.scenario.clone(), error))?;
        let path = PathBuf::from(&self.scenario);
        let name = path
            .file_stem()
            .map_or_else(|| self.scenario.clone(), |stem| stem.to_string_lossy().into_owned());
        Ok(scenario::read(&name, &text, &self.scenario)?)
    }
}

fn authority<'a>(key: &'static str, url: &'a str) -> Result<&'a str, BadUsage> {
    target::authority(url).ok_or_else(|| bad(key, url, target::ALLOWED))
}

fn resolve(url: &str, authority: &str) -> Result<target::Target, RunError> {
    target::resolve(authority).map_err(|error| RunError::Unreachable(url.to_owned(), error))
}

fn bad(key: &'static str, value: &str, allowed: &'static str) -> BadUsage {
    BadUsage::Value { key, value: value.to_owned(), allowed }
}

fn whole(key: &'static str, value: &str, most: u32, allowed: &'static str) -> Result<u32, BadUsage> {
    value.parse().ok().filter(|number| (1..=most).contains(number)).ok_or_else(|| bad(key, value, allowed))
}

fn number(key: &'static str, value: &str, most: f64, allowed: &'static str) -> Result<f64, BadUsage> {
    value
        .parse()
        .ok()
        .filter(|number| *number > 0.0 && *number <= most)
        .ok_or_else(|| bad(key, value, allowed))
}

fn time(key: &'static str, value: &str) -> Result<Duration, BadUsage> {
    span::parse(value).ok_or_else(|| bad(key, value, span::ALLOWED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_value_earns_one_sentence() {
        let check = |args: &[&str], expected: &str| {
            let args = Args::parse_from(["loadtest"].iter().chain(args));
            let error = args.options().err().expect(expected).to_string();
            assert!(error.contains(expected) && error.ends_with('.'), "{error}");
        };
        check(&["burst", "--time-scale", "0"], "time-scale is \"0\", but must be a number above 0");
        check(&["burst", "--url", "https://x"], "url is \"https://x\", but must be an http:// URL");
        check(&["burst", "--follow-url", "b:1"], "follow-url is \"b:1\", but must be an http:// URL");
        check(&["burst", "--streams", "many"], "streams is \"many\", but must be a whole number");
        check(&["burst", "--duration", "5"], "duration is \"5\", but must be a time");
        check(&["burst", "--batch", "10"], "batch is \"10\", but must be a time");
        check(&["burst", "--rate=-1"], "rate is \"-1\"");
        check(&["burst", "--key", "a\nb"], "visible ASCII");
        check(&["no-such-file.toml"], "must be ramp, burst, extended, idle, limit or the path");
        check(&["ramp", "--streams", "7"], "--streams cannot be given");
        check(&["burst", "--sessions", "9", "--streams", "3"], "at most the number of streams, 3");
    }

    #[test]
    fn followers_go_where_publishers_do_unless_told_otherwise() {
        let check = |args: &[&str], expected: [&str; 2], repeated: Option<&str>| {
            let args = ["loadtest", "burst", "--url", "http://127.0.0.1:1"].iter().chain(args);
            let options = Args::parse_from(args).options().expect("good").expect("found");
            let addresses = [options.target, options.follow].map(|target| target.address.to_string());
            assert_eq!(addresses, expected);
            assert_eq!(options.changes.follow_url.as_deref(), repeated);
        };
        check(&[], ["127.0.0.1:1", "127.0.0.1:1"], None);
        let other = "http://127.0.0.1:2";
        check(&["--follow-url", other], ["127.0.0.1:1", "127.0.0.1:2"], Some(other));
    }

    #[test]
    fn the_key_is_never_printed() {
        let args = Args::parse_from(["loadtest", "burst", "--key", "a secret"]);
        assert!(!args.options().err().expect("a space").to_string().contains("secret"));
    }
}
