//! Where settings come from: a file, then the environment, then flags; each overrides the one before.

use std::{collections::HashMap, env, fs, path::PathBuf};
use streamgauge_core::settings::{
    config::{BadSetting, MachineDefaults, RawSettings},
    table::{SETTINGS, Settings},
};

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(transparent)]
    Setting(#[from] BadSetting),
    #[error("config is {0:?}, but must be the path of a readable TOML file: {1}.")]
    File(String, String),
}

/// `flags`: settings given on the command line. `file`: `--config`.
pub fn read(flags: &HashMap<&'static str, String>, file: Option<String>) -> Result<Settings, ConfigError> {
    let mut raw = RawSettings::default();
    if let Some(path) = file.or_else(|| env::var("STREAMGAUGE_CONFIG").ok()) {
        let bad = |error: String| ConfigError::File(path.clone(), error);
        let text = fs::read_to_string(&path).map_err(|error| bad(error.to_string()))?;
        let table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| bad(error.message().to_owned()))?;
        for (key, value) in table {
            let value = match value {
                toml::Value::String(text) => text,
                other => other.to_string(),
            };
            raw.set(&key, value, &path)?;
        }
    }
    // Only known names are looked up: an orchestrator may set STREAMGAUGE_PORT and the like for its own ends.
    for setting in SETTINGS {
        if let Ok(value) = env::var(setting.variable()) {
            raw.set(setting.name, value, "the environment")?;
        }
    }
    for (key, value) in flags {
        raw.set(key, value.clone(), "the command line")?;
    }
    Ok(raw.settings(machine())?)
}

fn machine() -> MachineDefaults {
    let home = || {
        env::var_os("XDG_DATA_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(env::home_dir()?.join(".local/share")))
    };
    let data_dir = if rustix::process::geteuid().is_root() {
        PathBuf::from("/var/lib/streamgauge")
    } else {
        home().map_or_else(|| PathBuf::from("streamgauge-data"), |home| home.join("streamgauge"))
    };
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    MachineDefaults { data_dir, host }
}
