//! The user that runs PostgreSQL: ourselves, or for root an unprivileged one, since PostgreSQL refuses root.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Error;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    /// Whether this is another user than the one who runs this process (who then is root).
    pub other: bool,
}

pub fn for_folder(data: &Path) -> Result<Account, Error> {
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    let owner = fs::metadata(data).ok().map(|meta| (meta.uid(), meta.gid()));
    if uid != 0 {
        if owner.is_some_and(|(owner, _)| owner != uid) {
            return Err(Error::NotOurs(data.to_path_buf()));
        }
        let name = "yourself".to_string();
        return Ok(Account { name, uid, gid, other: false });
    }
    // A database keeps its user, even when `postgres` came to the machine after it was made as `nobody`.
    if let Some((uid, gid)) = owner.filter(|(uid, _)| *uid != 0) {
        let name = format!("user {uid}");
        return Ok(Account { name, uid, gid, other: true });
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    ["postgres", "nobody"].iter().find_map(|name| in_passwd(&passwd, name)).ok_or(Error::NoAccount)
}

fn in_passwd(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [found, _, uid, gid, ..] = fields[..] else {
            return None;
        };
        let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
        (found == name && uid != 0).then(|| Account { name: name.to_string(), uid, gid, other: true })
    })
}

impl Account {
    /// A command that runs as this user, in English, with nothing of ours that could steer it.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // The current folder may be one that this user cannot enter.
        command.current_dir("/").stdin(Stdio::null()).env("LC_ALL", "C");
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("PG") {
                command.env_remove(key);
            }
        }
        if self.other {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Gives a file or folder to this user, never following a link.
    pub fn own(&self, path: &Path) -> Result<(), Error> {
        if !self.other {
            return Ok(());
        }
        std::os::unix::fs::lchown(path, Some(self.uid), Some(self.gid))
            .map_err(Error::io("give to PostgreSQL's user", path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
        postgresql-exporter:x:99:99::/:/bin/false\n\
        postgres:x:101:104:admin,,,:/var/lib/postgresql:/bin/bash\n\
        broken\n";

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let found = in_passwd(PASSWD, "postgres").unwrap();
        assert_eq!((found.uid, found.gid), (101, 104));
        assert_eq!(in_passwd(PASSWD, "nobody"), None);
        assert_eq!(in_passwd(PASSWD, "root"), None, "root is what it must not be");
    }
}
