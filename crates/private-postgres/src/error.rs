//! What can go wrong, each sentence with what to do about it.

use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "PostgreSQL's server programs (initdb, pg_ctl, postgres) were not found on this machine: \
         install them (Debian and Ubuntu: `apt-get install postgresql`; macOS: `brew install postgresql`)"
    )]
    NoBinaries,

    #[error(
        "{} was written by PostgreSQL {wanted}, and only version {found} is installed: \
         install PostgreSQL {wanted}, or move the folder away", .data.display()
    )]
    OtherVersion { data: PathBuf, wanted: String, found: String },

    #[error(
        "PostgreSQL refuses to run as root, and this machine has neither a user `postgres` nor `nobody` to run it as"
    )]
    NoAccount,

    #[error("{} belongs to another user: run as that user, or choose another data folder", .0.display())]
    NotOurs(PathBuf),

    #[error(
        "the user `{user}`, who runs PostgreSQL in place of root, may not enter {}: \
         choose a data folder elsewhere, or allow it with `chmod o+x {}`", .folder.display(), .folder.display()
    )]
    NotPassable { folder: PathBuf, user: String },

    #[error("{} is not empty, and holds no PostgreSQL data: choose another data folder", .0.display())]
    NotADatabase(PathBuf),

    #[error("the socket folder {} is not a folder of our own that only its owner may enter: remove it", .0.display())]
    SocketFolder(PathBuf),

    #[error("PostgreSQL could not make its data folder {}: {said}", .data.display())]
    Init { data: PathBuf, said: String },

    #[error("PostgreSQL did not start in {}: {said}", .data.display())]
    Start { data: PathBuf, said: String },

    #[error("PostgreSQL did not stop in {}: {said}", .data.display())]
    Stop { data: PathBuf, said: String },

    #[error("could not {doing} {}: {source}", .path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

impl Error {
    /// For `map_err`: says what was being done, and to what.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_path_buf();
        move |source| Error::Io { doing, path, source }
    }
}

/// The last lines of what a program said: the first ones are rarely the reason.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
