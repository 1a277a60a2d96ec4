//! Starting and stopping, through PostgreSQL's own programs.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::tail;
use crate::{Error, Postgres, Started, folder, pidfile, settings};

/// Recovery after a crash may take a while; longer than this somebody should look.
const START_SECONDS: u64 = 120;
const STOP_SECONDS: u64 = 60;
/// After a kill -9 of PostgreSQL itself its children need a moment to notice; until then it refuses to start.
const ORPHAN_SECONDS: u64 = 15;
const LONGEST_LOG: u64 = 10_000_000;

impl Postgres {
    /// Runs when this returns: made when the folder is empty, adopted when it already ran.
    pub fn start(&self) -> Result<Started, Error> {
        let _lock = self.lock()?;
        if self.wait_until_settled()? {
            return Ok(Started::Adopted);
        }
        let new = !self.data.join("PG_VERSION").exists();
        if new {
            self.initialise()?;
        }
        self.forget_stale()?;
        folder::secure_socket_folder(&self.socket, &self.data, &self.account)?;
        self.write("postgresql.conf", &settings::text(&self.socket, self.throwaway))?;
        self.run_start()?;
        Ok(if new { Started::New } else { Started::Started })
    }

    /// Ends its connections, writes everything down and waits until it has ended.
    pub fn stop(&self) -> Result<(), Error> {
        let _lock = self.lock()?;
        if !self.is_running() {
            return Ok(());
        }
        let mut command = self.pg_ctl("stop", STOP_SECONDS);
        command.args(["-m", "fast"]);
        self.succeed(command).map_err(|said| Error::Stop { data: self.data.clone(), said })?;
        if self.socket != self.data {
            // Best effort: an empty folder left in /tmp does no harm.
            let _ = fs::remove_dir(&self.socket);
        }
        Ok(())
    }

    /// Two processes that start one folder at once would both initialise it. The kernel frees the lock
    /// of a process that is killed.
    fn lock(&self) -> Result<File, Error> {
        let path = self.data.with_added_extension("lock");
        let parent = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(parent).map_err(Error::io("make the folder", parent))?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        file.lock().map_err(Error::io("lock", &path))?;
        Ok(file)
    }

    /// True when it runs and accepts connections. One that is starting or stopping is waited for.
    fn wait_until_settled(&self) -> Result<bool, Error> {
        let deadline = Instant::now() + Duration::from_secs(START_SECONDS);
        while let Some(file) = pidfile::read(&self.data).filter(|file| file.is_live(&self.data)) {
            if file.is_ready() {
                return Ok(true);
            }
            if Instant::now() > deadline {
                return Err(self.not_started("the one that was already there neither started nor ended"));
            }
            sleep(Duration::from_millis(100));
        }
        Ok(false)
    }

    /// PostgreSQL clears up after itself, except where the pid that it noted is now another program's.
    fn forget_stale(&self) -> Result<(), Error> {
        let path = self.data.join(pidfile::FILE);
        if pidfile::read(&self.data).is_some_and(|file| file.process_exists()) {
            let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
            self.write(pidfile::FILE, &pidfile::with_nobody(&text))?;
        }
        for name in [".s.PGSQL.5432.lock", ".s.PGSQL.5432"] {
            // Usually not there. Nobody uses it: no PostgreSQL of this folder runs.
            let _ = fs::remove_file(self.socket.join(name));
        }
        Ok(())
    }

    fn run_start(&self) -> Result<(), Error> {
        let log = self.log();
        if fs::metadata(&log).is_ok_and(|meta| meta.len() > LONGEST_LOG) {
            fs::remove_file(&log).map_err(Error::io("remove", &log))?;
        }
        let deadline = Instant::now() + Duration::from_secs(ORPHAN_SECONDS);
        loop {
            let mut command = self.pg_ctl("start", START_SECONDS);
            command.arg("-l").arg(&log);
            let error = match self.succeed(command) {
                Ok(()) => return Ok(()),
                Err(said) => self.not_started(&said),
            };
            let orphans = error.to_string().contains("pre-existing shared memory block");
            if !orphans || Instant::now() > deadline {
                return Err(error);
            }
            sleep(Duration::from_millis(200));
        }
    }

    fn not_started(&self, said: &str) -> Error {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        Error::Start { data: self.data.clone(), said: format!("{said}\n{}", tail(&log)) }
    }

    fn log(&self) -> PathBuf {
        self.data.join("postgres.log")
    }

    /// `pg_ctl` puts the server into a session of its own, so that Ctrl-C at our terminal does not reach it.
    fn pg_ctl(&self, what: &str, seconds: u64) -> Command {
        let mut command = self.account.command(&self.binaries.join("pg_ctl"));
        command.args([what, "-w", "-t", &seconds.to_string(), "-D"]).arg(&self.data);
        command
    }

    pub(crate) fn succeed(&self, mut command: Command) -> Result<(), String> {
        let program = command.get_program().to_string_lossy().into_owned();
        let output = command.output().map_err(|e| format!("{program} could not run: {e}"))?;
        if output.status.success() { Ok(()) } else { Err(tail(&String::from_utf8_lossy(&output.stderr))) }
    }

    /// By a new file and a rename: root never writes through a link that the owner of the folder placed.
    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.data.join(name);
        let new = self.data.join(format!("{name}.new"));
        let _ = fs::remove_file(&new);
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(Error::io("write", &path))?;
        self.account.own(&new)?;
        fs::rename(&new, &path).map_err(Error::io("write", &path))
    }
}
