//! The WASM entry: takes over the pages that the server rendered. Empty on any other target.
#![cfg(target_arch = "wasm32")]

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_body(streamgauge_app::App);
}
