//! Where things are.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps::{Failure, Outcome, fail};

pub struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub root: PathBuf,
    /// Where cargo builds: not under the root when `CARGO_TARGET_DIR` says so.
    pub target: PathBuf,
}

impl Workspace {
    /// The one around the current folder, as cargo sees it.
    pub fn find() -> Outcome<Workspace> {
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .output()?;
        if !output.status.success() {
            return fail("This is not a folder of the Streamgauge repository.");
        }
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let folder = |key: &str| {
            let path = metadata[key].as_str().map(PathBuf::from);
            path.ok_or_else(|| Failure(format!("`cargo metadata` named no {key}.")))
        };
        Ok(Workspace { root: folder("workspace_root")?, target: folder("target_directory")? })
    }

    /// Everything the browser gets. Under the root always: the server's build embeds it from there.
    pub fn site(&self) -> PathBuf {
        self.root.join("target/site")
    }

    /// A folder where PostgreSQL's data may live: under `target`, or where another user than root cannot
    /// pass that (a checkout in root's home), one under `/var/tmp` that is this checkout's own.
    pub fn service_folder(&self, name: &str) -> Outcome<PathBuf> {
        let folder = self.root.join("target").join(name);
        if !matches!(
            private_postgres::Postgres::at(&folder.join("postgres")),
            Err(private_postgres::Error::NotPassable { .. })
        ) {
            return Ok(folder);
        }
        let mut hasher = DefaultHasher::new();
        self.root.hash(&mut hasher);
        Ok(PathBuf::from(format!("/var/tmp/streamgauge-{:016x}", hasher.finish())).join(name))
    }
}

/// The files directly in a folder with this extension, sorted by name. No folder: no files.
pub fn files(folder: &Path, extension: &str) -> Outcome<Vec<PathBuf>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
