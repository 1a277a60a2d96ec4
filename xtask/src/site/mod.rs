//! `target/site`: everything that the browser gets, named by content and compressed, with a manifest.
//! The server reads it from there, and the release build embeds it.

mod assets;
mod compress;
mod css;
mod wasm;

pub use assets::{Manifest, SDK, brotli_size};
pub use wasm::TARGET as WASM_TARGET;

use crate::steps::{Outcome, step};
use crate::workspace::Workspace;

pub fn build(workspace: &Workspace) -> Outcome<Manifest> {
    step("WASM", || wasm::compile(workspace))?;
    let module = step("WASM made small", || wasm::finish(workspace))?;
    step("CSS and assets", || {
        let css = css::bundle(&workspace.root.join("style/main.css"))?;
        assets::write(workspace, &css, &module)
    })
}
