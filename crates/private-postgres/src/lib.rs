//! A PostgreSQL of one's own in a folder: found on the machine, initialised, started, adopted, stopped.
//!
//! It listens on a unix socket only, in a folder that nobody but its owner may enter.
//!
//! | file | what it holds |
//! |---|---|
//! | `binaries` | where PostgreSQL's programs are on this machine |
//! | `account` | which user runs it: PostgreSQL refuses root |
//! | `folder` | the data folder, its parents, the folder of the socket |
//! | `pidfile` | whether a PostgreSQL of this folder is running |
//! | `settings` | the configuration it gets |
//! | `initialise` | a new database |
//! | `control` | start, adopt, stop |
//! | `priority` | that it gives way to others |
//! | `error` | what can go wrong, each with what to do |

mod account;
mod binaries;
mod control;
mod error;
mod folder;
mod initialise;
mod pidfile;
mod priority;
mod settings;

use std::path::{Path, PathBuf};

use account::Account;
pub use error::Error;

/// The name of the database, and of its only role.
pub const NAME: &str = "streamgauge";

/// One private PostgreSQL. Dropping this value does not stop it.
#[derive(Debug, Clone)]
pub struct Postgres {
    data: PathBuf,
    binaries: PathBuf,
    socket: PathBuf,
    account: Account,
    throwaway: bool,
}

/// What [`Postgres::start`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// The folder was empty: a new database was made.
    New,
    /// The folder held a database, which was started.
    Started,
    /// It already ran, left over from a process that was killed, or started by another one.
    Adopted,
}

impl Postgres {
    /// The folder with the newest complete set of PostgreSQL's server programs.
    pub fn find_binaries() -> Result<PathBuf, Error> {
        binaries::newest()
    }

    /// The PostgreSQL of this folder, which may be empty or not exist yet. Starts nothing.
    pub fn at(data_dir: &Path) -> Result<Postgres, Error> {
        let data = folder::absolute(data_dir)?;
        let account = account::for_folder(&data)?;
        folder::check_passable(&data, &account)?;
        let binaries = binaries::fitting(&data)?;
        let socket = folder::socket_folder(&data);
        Ok(Postgres { data, binaries, socket, account, throwaway: false })
    }

    /// For tests: nothing survives a power cut, and everything is faster.
    pub fn throwaway(mut self) -> Self {
        self.throwaway = true;
        self
    }

    /// Whether it runs, by its pid file: cheap enough to ask every second.
    pub fn is_running(&self) -> bool {
        pidfile::read(&self.data).is_some_and(|file| file.is_live(&self.data))
    }

    /// Lets others go first where processors are short: it works beside something that somebody waits for. To be said again
    /// now and then, since each connection is a new process; cheap enough for every second. Needs Linux.
    pub fn give_way(&self) {
        if let Some(file) = pidfile::read(&self.data).filter(|file| file.is_live(&self.data)) {
            file.pid().into_iter().for_each(priority::lower);
        }
    }

    /// The folder with `psql` and the other programs.
    pub fn binaries(&self) -> &Path {
        &self.binaries
    }

    /// The folder of its unix socket: what libpq calls the host.
    pub fn socket_folder(&self) -> &Path {
        &self.socket
    }

    /// Its address, as sqlx and libpq read it.
    pub fn url(&self) -> String {
        let socket = folder::percent_encoded(&self.socket);
        format!("postgres://{NAME}@localhost/{NAME}?host={socket}")
    }
}
