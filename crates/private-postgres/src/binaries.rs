//! Where PostgreSQL's programs are. Debian keeps them off the PATH, one folder a major version.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

const NEEDED: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// Folders that hold one folder a version: where, how its name starts, what follows it.
const VERSIONED: [(&str, &str, &str); 4] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
];

pub fn newest() -> Result<PathBuf, Error> {
    candidates().into_iter().next().ok_or(Error::NoBinaries)
}

/// The newest, or for a folder that already holds a database those of the same major version.
pub fn fitting(data: &Path) -> Result<PathBuf, Error> {
    let Ok(wanted) = fs::read_to_string(data.join("PG_VERSION")) else {
        return newest();
    };
    let wanted = wanted.trim();
    let all = candidates();
    let newest = all.first().ok_or(Error::NoBinaries)?;
    match all.iter().find(|bin| major(bin).as_deref() == Some(wanted)) {
        Some(bin) => Ok(bin.clone()),
        None => Err(Error::OtherVersion {
            data: data.to_path_buf(),
            wanted: wanted.to_string(),
            found: major(newest).unwrap_or_else(|| "unknown".to_string()),
        }),
    }
}

fn candidates() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = VERSIONED
        .iter()
        .flat_map(|(base, prefix, tail)| versions_in(Path::new(base), prefix, tail))
        .collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    let on_path =
        env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let mut all: Vec<PathBuf> = found.into_iter().map(|(_, folder)| folder).collect();
    all.extend(on_path);
    all.extend(told_by_pg_config());
    all.retain(|folder| NEEDED.iter().all(|name| folder.join(name).is_file()));
    all
}

fn versions_in(base: &Path, prefix: &str, tail: &str) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = fs::read_dir(base) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?.trim_start_matches('@');
            // Homebrew's `postgresql` without a version is whatever it calls current: the last choice.
            let version = if version.is_empty() { 0 } else { version.parse().ok()? };
            Some((version, entry.path().join(tail)))
        })
        .collect()
}

fn told_by_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(folder.trim()))
}

/// `postgres (PostgreSQL) 15.8 (Debian …)` -> `15`.
fn major(bin: &Path) -> Option<String> {
    let output = Command::new(bin.join("postgres")).arg("-V").output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    let version = said.split_whitespace().nth(2)?;
    Some(version.split('.').next()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_number_so_that_16_is_newer_than_9() {
        let base = tempfile::tempdir().unwrap();
        for name in ["pgsql-9", "pgsql-16", "pgsql-old", "other"] {
            fs::create_dir_all(base.path().join(name)).unwrap();
        }
        let mut versions: Vec<u32> =
            versions_in(base.path(), "pgsql-", "bin").into_iter().map(|(version, _)| version).collect();
        versions.sort_unstable();
        assert_eq!(versions, [9, 16]);
    }
}
