//! A new database, through PostgreSQL's own programs.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::tail;
use crate::{Error, NAME, Postgres, folder};

impl Postgres {
    /// Into a folder beside it that is renamed at the end: a start that was cut off leaves no half database.
    pub(crate) fn initialise(&self) -> Result<(), Error> {
        if fs::read_dir(&self.data).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Error::NotADatabase(self.data.clone()));
        }
        let part = self.data.with_added_extension("part");
        if part.exists() {
            fs::remove_dir_all(&part).map_err(Error::io("remove", &part))?;
        }
        folder::create_private(&part, &self.account)?;
        let failed = |said| Error::Init { data: self.data.clone(), said };
        self.succeed(self.initdb(&part)).map_err(failed)?;
        self.create_database(&part).map_err(failed)?;
        fs::rename(&part, &self.data).map_err(Error::io("rename to its place", &part))
    }

    fn initdb(&self, part: &Path) -> Command {
        let mut command = self.account.command(&self.binaries.join("initdb"));
        command.arg("-D").arg(part).args(["--username", NAME]);
        command.args(["--auth=trust", "--encoding=UTF8", "--locale=C"]);
        if self.throwaway {
            command.arg("--no-sync");
        }
        command
    }

    /// PostgreSQL's single-user mode: no server and no client are needed. It exits with 0 after an error too.
    fn create_database(&self, part: &Path) -> Result<(), String> {
        let mut command = self.account.command(&self.binaries.join("postgres"));
        command.arg("--single").arg("-D").arg(part).arg("postgres");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| e.to_string())?;
        if let Some(mut input) = child.stdin.take() {
            writeln!(input, "CREATE DATABASE {NAME}").map_err(|e| e.to_string())?;
        }
        let output = child.wait_with_output().map_err(|e| e.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() && !said.contains("ERROR:") && !said.contains("FATAL:") {
            Ok(())
        } else {
            Err(tail(&said))
        }
    }
}
