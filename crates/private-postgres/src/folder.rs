//! The data folder, the parents that PostgreSQL's user must be able to pass, and the folder of the socket.

use std::fs::{self, DirBuilder};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::Error;
use crate::account::Account;

/// The kernel's limit is 108 bytes (104 on macOS), the closing zero included.
const LONGEST_SOCKET: usize = 100;

/// Absolute and without links as far as the folder exists, so that one folder has one name:
/// PostgreSQL notes it in its pid file, and the socket folder is named after it.
pub fn absolute(path: &Path) -> Result<PathBuf, Error> {
    let path = std::path::absolute(path).map_err(Error::io("find", path))?;
    let mut missing = Vec::new();
    let mut existing = path.as_path();
    loop {
        match (existing.canonicalize(), existing.parent(), existing.file_name()) {
            (Ok(real), _, _) => {
                return Ok(missing.iter().rev().fold(real, |path, name| path.join(name)));
            }
            (Err(e), Some(parent), Some(name)) if e.kind() == io::ErrorKind::NotFound => {
                missing.push(name);
                existing = parent;
            }
            (Err(e), _, _) => return Err(Error::io("find", &path)(e)),
        }
    }
}

/// Whether the user can walk from `/` to the folder. The folder itself will be theirs.
pub fn check_passable(data: &Path, account: &Account) -> Result<(), Error> {
    if !account.other {
        return Ok(());
    }
    for folder in data.ancestors().skip(1) {
        let Ok(meta) = fs::metadata(folder) else {
            continue; // Not there yet: we shall make it passable.
        };
        let may_enter = if meta.uid() == account.uid {
            0o100
        } else if meta.gid() == account.gid {
            0o010
        } else {
            0o001
        };
        if meta.mode() & may_enter == 0 {
            return Err(Error::NotPassable { folder: folder.to_path_buf(), user: account.name.clone() });
        }
    }
    Ok(())
}

/// An empty folder that only the account may enter; its parents are made passable.
pub fn create_private(folder: &Path, account: &Account) -> Result<(), Error> {
    if let Some(parent) = folder.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(parent)
            .map_err(Error::io("make the folder", parent))?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(Error::io("make the folder", folder)(e)),
        _ => account.own(folder),
    }
}

/// Inside the data folder where the path is short enough for a unix socket, else in a folder named after it.
pub fn socket_folder(data: &Path) -> PathBuf {
    if data.join(".s.PGSQL.5432").as_os_str().len() < LONGEST_SOCKET {
        return data.to_path_buf();
    }
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    PathBuf::from(format!("/tmp/streamgauge-{:016x}", hasher.finish()))
}

/// Authentication is `trust`, because nobody else can pass this folder: so it must be exactly that.
pub fn secure_socket_folder(socket: &Path, data: &Path, account: &Account) -> Result<(), Error> {
    if socket == data {
        return Ok(());
    }
    if fs::symlink_metadata(socket).is_err() {
        create_private(socket, account)?;
    }
    let meta = fs::symlink_metadata(socket).map_err(Error::io("read", socket))?;
    if meta.is_dir() && meta.uid() == account.uid && meta.permissions().mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(Error::SocketFolder(socket.to_path_buf()))
    }
}

/// For a value in the query of an address: all but the plainest bytes are escaped.
pub fn percent_encoded(path: &Path) -> String {
    path.as_os_str()
        .as_bytes()
        .iter()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(*byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_gets_a_short_socket_folder() {
        let short = Path::new("/srv/streamgauge/postgres");
        assert_eq!(socket_folder(short), short);
        let long = PathBuf::from(format!("/{}", "deep/".repeat(30)));
        let socket = socket_folder(&long);
        assert!(socket.join(".s.PGSQL.5432").as_os_str().len() < LONGEST_SOCKET);
        assert_eq!(socket, socket_folder(&long), "the next start must find the same");
    }

    #[test]
    fn a_folder_that_only_root_enters_is_named() {
        let base = tempfile::tempdir().unwrap();
        fs::set_permissions(base.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let stranger = Account { name: "postgres".into(), uid: u32::MAX - 1, gid: u32::MAX - 1, other: true };
        let error = check_passable(&base.path().join("pg"), &stranger).unwrap_err();
        assert!(error.to_string().contains(&base.path().display().to_string()), "{error}");
    }

    #[test]
    fn a_path_is_escaped_for_an_address() {
        assert_eq!(percent_encoded(Path::new("/a b/ü&c.d")), "%2Fa%20b%2F%C3%BC%26c.d");
    }
}
