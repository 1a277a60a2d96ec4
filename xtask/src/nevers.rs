//! What must never be in this repository, as far as a program can see it (docs/architecture.md).

mod arrows;
mod folders;
mod phrases;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use crate::steps::{Outcome, fail};
use crate::workspace::{Workspace, files};

pub fn check(workspace: &Workspace) -> Outcome {
    let violations = violations(workspace)?;
    if violations.is_empty() {
        return Ok(());
    }
    for violation in &violations {
        eprintln!("{violation}");
    }
    fail(format!("{} violations of the architecture's rules, named above with the reason.", violations.len()))
}

fn violations(workspace: &Workspace) -> Outcome<Vec<String>> {
    let mut found = arrows::violations(&manifests(workspace)?)?;
    let sources = sources(workspace)?;
    found.extend(folders::violations(&sources));
    for (name, text) in &sources {
        found.extend(words::violations(name, text));
    }
    for (name, text) in texts(workspace)? {
        found.extend(phrases::violations(&name, &text));
    }
    Ok(found)
}

type Texts = Vec<(String, String)>;

/// The `Cargo.toml` of each package, with its path from the root.
fn manifests(workspace: &Workspace) -> Outcome<Texts> {
    let mut found = Vec::new();
    let crates = fs::read_dir(workspace.root.join("crates"))?.flatten().map(|entry| entry.path());
    let others = ["", "app", "xtask"].map(|name| workspace.root.join(name));
    for path in others.into_iter().chain(crates).map(|folder| folder.join("Cargo.toml")) {
        if path.exists() {
            found.push((name(workspace, &path), fs::read_to_string(&path)?));
        }
    }
    Ok(found)
}

/// The Rust sources of the product. xtask names what it forbids, so it is left out.
fn sources(workspace: &Workspace) -> Outcome<Texts> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = ["src", "app/src", "crates"].map(|name| workspace.root.join(name)).into();
    while let Some(folder) = open.pop() {
        for path in files(&folder, "rs")? {
            found.push((name(workspace, &path), fs::read_to_string(&path)?));
        }
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    Ok(found)
}

/// Not ours, or made by a build or a test.
const SKIPPED: &[&str] =
    &[".git", ".env", "target", "node_modules", "test-results", "playwright-report", "corpus", "artifacts"];

/// Every text file of the repository: docs, styles, scripts and data too.
fn texts(workspace: &Workspace) -> Outcome<Texts> {
    let mut found = Vec::new();
    let mut open = vec![workspace.root.clone()];
    while let Some(folder) = open.pop() {
        // A folder or file that cannot be read is no source: a database's data, say.
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type()?);
            if SKIPPED.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file()
                && let Some(text) = fs::read(&path).ok().and_then(|bytes| String::from_utf8(bytes).ok())
            {
                found.push((name(workspace, &path), text));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn name(workspace: &Workspace, path: &Path) -> String {
    path.strip_prefix(&workspace.root).unwrap_or(path).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_violates_no_rule() {
        assert_eq!(violations(&Workspace::find().unwrap()).unwrap(), Vec::<String>::new());
    }
}
