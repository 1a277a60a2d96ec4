//! The browser's half of the app: compiled, given its JavaScript by wasm-bindgen, made small by wasm-opt.

use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use wasm_bindgen_cli_support::Bindgen;

use crate::process::{cargo, run};
use crate::steps::{Failure, Outcome};
use crate::tools;
use crate::workspace::Workspace;

pub const TARGET: &str = "wasm32-unknown-unknown";

/// What rustc emits by itself. Not `--all-features`: wasm-opt would then use some that browsers lack.
const FEATURES: [&str; 8] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
    "--enable-call-indirect-overlong",
];

/// The folder with the finished `streamgauge.js`, `streamgauge_bg.wasm` and perhaps `snippets/`.
pub struct Module(pub PathBuf);

pub fn compile(workspace: &Workspace) -> Outcome {
    tools::wasm_target()?;
    let mut build = cargo("build");
    build.args(["--package", "streamgauge-hydrate", "--lib", "--target", TARGET, "--profile", "wasm"]);
    build.env("CARGO_ENCODED_RUSTFLAGS", flags());
    run(build.current_dir(&workspace.root))
}

/// As in `.cargo/config.toml`, which they stand in for; and where this machine keeps the crates is nobody's business: a
/// hundred panic messages would carry it to every visitor.
fn flags() -> String {
    let mut flags = vec!["--cfg=erase_components".to_owned()];
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo"))).unwrap_or_default();
    let registries = fs::read_dir(home.join("registry/src")).into_iter().flatten().flatten();
    flags.extend(registries.map(|registry| format!("--remap-path-prefix={}=", registry.path().display())));
    flags.join("\u{1f}")
}

/// Nothing is done when the compiled module and the tools are those of the last time.
pub fn finish(workspace: &Workspace) -> Outcome<Module> {
    let compiled = workspace.target.join(TARGET).join("wasm/streamgauge_hydrate.wasm");
    let optimizer = tools::wasm_opt(workspace);
    let folder = workspace.root.join("target/wasm-finished");
    let stamp = folder.join("stamp");
    let tools = fs::read(workspace.root.join("end2end/package-lock.json"))?;
    let key = format!("{:016x} {:016x} {optimizer:?}", hash(&fs::read(&compiled)?), hash(&tools));
    if fs::read_to_string(&stamp).is_ok_and(|noted| noted == key) {
        return Ok(Module(folder));
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    bind(&compiled, &folder)?;
    match optimizer {
        Some(wasm_opt) => optimize(&wasm_opt, &folder.join("streamgauge_bg.wasm"))?,
        None => println!("  no wasm-opt, which comes through Node 20 and npm: the WASM stays larger"),
    }
    fs::write(stamp, key)?;
    Ok(Module(folder))
}

pub fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

fn bind(compiled: &Path, folder: &Path) -> Outcome {
    let mut bindgen = Bindgen::new();
    bindgen.input_path(compiled).out_name("streamgauge").typescript(false);
    // The page names the WASM by its hash, so the JavaScript needs no name of its own for it.
    bindgen.omit_default_module_path(true).remove_producers_section(true).remove_name_section(true);
    bindgen
        .web(true)
        .and_then(|bindgen| bindgen.generate(folder))
        .map_err(|error| Failure(format!("wasm-bindgen could not read the WASM: {error:#}.")))
}

fn optimize(wasm_opt: &Path, module: &Path) -> Outcome {
    let smaller = module.with_extension("smaller");
    let mut command = Command::new(wasm_opt);
    // A second time, knowing what each function touches. No browser reads the list of features.
    command
        .args(["-Oz", "--generate-global-effects", "-Oz", "--strip-target-features"])
        .args(FEATURES)
        .arg(module)
        .arg("-o")
        .arg(&smaller);
    run(&mut command)?;
    fs::rename(smaller, module)?;
    Ok(())
}
