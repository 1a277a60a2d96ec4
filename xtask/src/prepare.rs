//! The offline data of sqlx's checked macros (`.sqlx/`), made anew against a database that has just
//! been migrated. `cargo xtask prepare --check` only compares.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use private_postgres::Postgres;

use crate::process::{cargo, run};
use crate::services::Scratch;
use crate::steps::{Outcome, fail, step};
use crate::tools;
use crate::workspace::{Workspace, files};

/// Whose macros are expanded again.
const CRATE_ROOTS: [&str; 3] = ["src/lib.rs", "src/main.rs", "tests/server/main.rs"];

pub fn prepare(workspace: &Workspace, check: bool) -> Outcome {
    tools::postgres()?;
    let scratch = Scratch::new(workspace, "prepare")?;
    let postgres = Postgres::at(&scratch.path.join("postgres"))?.throwaway();
    step("a database with all migrations", || {
        postgres.start()?;
        let migrations = files(&workspace.root.join("migrations"), "sql")?;
        migrations.iter().try_for_each(|file| migrate(&postgres, file))
    })?;
    let fresh = scratch.path.join("queries");
    fs::create_dir(&fresh)?;
    step("every query described by the database", || describe(workspace, &postgres, &fresh))?;
    let committed = workspace.root.join(".sqlx");
    if check { compare(&committed, &fresh) } else { replace(&committed, &fresh) }
}

/// As sqlx does it: a file is one transaction, unless its first line says otherwise.
fn migrate(postgres: &Postgres, file: &Path) -> Outcome {
    let mut psql = Command::new(postgres.binaries().join("psql"));
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d"]).arg(postgres.url());
    if !fs::read_to_string(file)?.starts_with("-- no-transaction") {
        psql.arg("-1");
    }
    run(psql.arg("-f").arg(file))
}

/// The macros ask the database and write what it says, when they are told of a folder to write to.
fn describe(workspace: &Workspace, postgres: &Postgres, folder: &Path) -> Outcome {
    let _touched = Touched::new(workspace)?;
    let mut check = cargo("check");
    check.args(["--package", "streamgauge", "--all-targets"]);
    check.current_dir(&workspace.root);
    check.env("DATABASE_URL", postgres.url());
    check.env("SQLX_OFFLINE", "false").env("SQLX_OFFLINE_DIR", folder);
    run(&mut check)
}

/// The crates' roots look changed, so that cargo expands their macros again; afterwards they have their
/// old times, so that nothing else is built again because of it.
struct Touched(Vec<(PathBuf, SystemTime, SystemTime)>);

impl Touched {
    fn new(workspace: &Workspace) -> Outcome<Touched> {
        let mut touched = Touched(Vec::new());
        let now = SystemTime::now();
        for path in CRATE_ROOTS.iter().map(|name| workspace.root.join(name)) {
            let before = fs::metadata(&path)?.modified()?;
            File::options().append(true).open(&path)?.set_modified(now)?;
            let after = fs::metadata(&path)?.modified()?;
            touched.0.push((path, before, after));
        }
        Ok(touched)
    }
}

impl Drop for Touched {
    fn drop(&mut self) {
        for (path, before, after) in &self.0 {
            let unchanged =
                fs::metadata(path).and_then(|meta| meta.modified()).is_ok_and(|time| time == *after);
            if let Some(file) = File::options().append(true).open(path).ok().filter(|_| unchanged) {
                // If it fails, something is built once more than needed.
                let _ = file.set_modified(*before);
            }
        }
    }
}

type Queries = BTreeMap<String, Vec<u8>>;

fn queries(folder: &Path) -> Outcome<Queries> {
    files(folder, "json")?
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok((name, fs::read(&path)?))
        })
        .collect()
}

fn compare(committed: &Path, fresh: &Path) -> Outcome {
    let (committed, fresh) = (queries(committed)?, queries(fresh)?);
    if committed == fresh {
        println!("{} queries, as committed in .sqlx.", fresh.len());
        return Ok(());
    }
    let missing = fresh.keys().filter(|name| !committed.contains_key(*name)).count();
    let needless = committed.keys().filter(|name| !fresh.contains_key(*name)).count();
    let differing =
        fresh.iter().filter(|(name, text)| committed.get(*name).is_some_and(|old| old != *text)).count();
    fail(format!(
        "The offline data in .sqlx is not that of the queries in the source ({missing} missing, {needless} needless, \
         {differing} different): run `cargo xtask prepare` and commit the folder."
    ))
}

fn replace(committed: &Path, fresh: &Path) -> Outcome {
    let (old, new) = (queries(committed)?, queries(fresh)?);
    fs::create_dir_all(committed)?;
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        fs::remove_file(committed.join(name))?;
    }
    for (name, text) in new.iter().filter(|(name, text)| old.get(*name) != Some(*text)) {
        fs::write(committed.join(name), text)?;
    }
    println!("{} queries in .sqlx.", new.len());
    Ok(())
}
