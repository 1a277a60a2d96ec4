//! Files under names that change with their content, so that a browser may keep them for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::compress;
use super::wasm::{Module, hash};
use crate::steps::{Failure, Outcome};
use crate::workspace::Workspace;

/// The browser SDK, which pages import by this name.
pub const SDK: &str = "sdk/streamgauge.js";
/// Browsers, robots and other people's pages ask for these by name.
const PLAIN: [&str; 7] = [
    "favicon.svg",
    "world.svg",
    "favicon.ico",
    "robots.txt",
    "apple-touch-icon.png",
    SDK,
    "sdk/streamgauge.d.ts",
];

/// Kept beside the SDK for npm; a browser has no use for them.
const FOR_NPM: [&str; 2] = ["sdk/package.json", "sdk/README.md"];

/// Where each file is found: `/assets/<name>-<hash>.<extension>`.
pub struct Manifest {
    css: String,
    js: String,
    pub wasm: String,
    files: BTreeMap<String, String>,
}

pub fn write(workspace: &Workspace, css: &str, module: &Module) -> Outcome<Manifest> {
    let mut site = Site::new(workspace.site());
    let css = site.add_hashed("streamgauge.css", css.as_bytes())?;
    let js = site.add_hashed("streamgauge.js", &fs::read(module.0.join("streamgauge.js"))?)?;
    let wasm = site.add_hashed("streamgauge.wasm", &fs::read(module.0.join("streamgauge_bg.wasm"))?)?;
    // Imported by the JavaScript under a relative name, which holds a hash already.
    for (name, path) in tree(&module.0.join("snippets"))? {
        site.add(&format!("assets/snippets/{name}"), &fs::read(path)?)?;
    }
    let mut files = BTreeMap::new();
    for (name, path) in tree(&workspace.root.join("public"))? {
        if FOR_NPM.contains(&name.as_str()) {
            continue;
        }
        let bytes = fs::read(path)?;
        if PLAIN.contains(&name.as_str()) {
            site.add(&name, &bytes)?;
            continue;
        }
        let address = site.add_hashed(&name, &bytes)?;
        files.insert(name, address);
    }
    let manifest = Manifest { css, js, wasm, files };
    site.close(&manifest)?;
    Ok(manifest)
}

/// What a browser downloads of this asset.
pub fn brotli_size(workspace: &Workspace, address: &str) -> Outcome<u64> {
    let path = workspace.site().join(format!("{}.br", address.trim_start_matches('/')));
    Ok(fs::metadata(path)?.len())
}

struct Site {
    folder: PathBuf,
    /// Everything else is from an earlier build.
    kept: BTreeSet<PathBuf>,
}

impl Site {
    fn new(folder: PathBuf) -> Site {
        Site { folder, kept: BTreeSet::new() }
    }

    fn add_hashed(&mut self, name: &str, bytes: &[u8]) -> Outcome<String> {
        let name = format!("assets/{}", hashed(name, bytes));
        self.add(&name, bytes)?;
        Ok(format!("/{name}"))
    }

    fn add(&mut self, name: &str, bytes: &[u8]) -> Outcome {
        let path = self.folder.join(name);
        if fs::read(&path).ok().as_deref() != Some(bytes) {
            fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
            fs::write(&path, bytes)?;
            for kind in ["br", "gz"] {
                // Of the old content, where the name has no hash.
                let _ = fs::remove_file(path.with_added_extension(kind));
            }
        }
        for kind in compress::beside(&path, bytes)? {
            self.kept.insert(path.with_added_extension(kind));
        }
        self.kept.insert(path);
        Ok(())
    }

    /// The manifest comes after what it names, and the stale files go last.
    fn close(mut self, manifest: &Manifest) -> Outcome {
        let path = self.folder.join("manifest.json");
        let text = serde_json::to_string_pretty(&json!({
            "css": manifest.css,
            "js": manifest.js,
            "wasm": manifest.wasm,
            "files": manifest.files,
        }))?;
        if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            fs::write(&path, text)?;
        }
        self.kept.insert(path);
        for (_, path) in tree(&self.folder)? {
            if !self.kept.contains(&path) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// `map.svg` -> `map-0123456789abcdef.svg`.
fn hashed(name: &str, bytes: &[u8]) -> String {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "bin"));
    format!("{stem}-{:016x}.{extension}", hash(bytes))
}

/// All files below a folder by their relative name; none if there is no folder.
fn tree(folder: &Path) -> Outcome<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).ok().and_then(Path::to_str).map(str::to_string);
            let name =
                name.ok_or_else(|| Failure(format!("{} has a name that is no text.", path.display())))?;
            if !name.starts_with('.') {
                found.insert(name, path);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_changes_with_the_content_only() {
        assert_eq!(hashed("sdk/a.b.js", b"1"), hashed("sdk/a.b.js", b"1"));
        assert_ne!(hashed("a.js", b"1"), hashed("a.js", b"2"));
        let name = hashed("sdk/a.b.js", b"1");
        assert!(name.starts_with("sdk/a.b-") && name.ends_with(".js"), "{name}");
    }

    #[test]
    fn what_an_earlier_build_left_goes() {
        let folder = tempfile::tempdir().unwrap();
        let build = |text: &str| {
            let mut site = Site::new(folder.path().to_path_buf());
            let css = site.add_hashed("a.css", text.as_bytes()).unwrap();
            site.add("favicon.svg", text.as_bytes()).unwrap();
            let none = String::new();
            let manifest = Manifest { css, js: none.clone(), wasm: none, files: BTreeMap::new() };
            site.close(&manifest).unwrap();
            tree(folder.path()).unwrap()
        };
        let first = build("a{}");
        assert_eq!(first.len(), 7, "two files, each also as .br and .gz, and the manifest");
        let second = build("b{}");
        assert_eq!(second.len(), 7);
        assert_eq!(first.keys().filter(|name| !second.contains_key(*name)).count(), 3);
    }
}
