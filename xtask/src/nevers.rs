//! What must never be in this repository, as far as a program can see it (docs/architecture.md).

mod arrows;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use crate::steps::{Outcome, fail};
use crate::workspace::{Workspace, files};

pub fn check(workspace: &Workspace) -> Outcome {
    let mut violations = arrows::violations(&manifests(workspace)?)?;
    for (name, text) in sources(workspace)? {
        violations.extend(words::violations(&name, &text));
    }
    if violations.is_empty() {
        return Ok(());
    }
    for violation in &violations {
        eprintln!("{violation}");
    }
    fail(format!("{} of what must never be was found, named above with the reason.", violations.len()))
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

fn name(workspace: &Workspace, path: &Path) -> String {
    path.strip_prefix(&workspace.root).unwrap_or(path).to_string_lossy().into_owned()
}
