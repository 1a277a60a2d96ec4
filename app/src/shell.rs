//! The document around the app: head, assets, content security policy.

use crate::{
    App,
    api::backend::{Assets, ServedBy},
    pages::is_plain,
};
use http::{HeaderValue, header, request::Parts};
use leptos::{nonce::use_nonce, prelude::*};
use leptos_axum::ResponseOptions;
use leptos_meta::MetaTags;

/// The whole HTML document. Reads [`Assets`] from the context; without them the page has neither style nor script.
pub fn shell() -> impl IntoView {
    let assets = use_context::<Assets>().unwrap_or_default();
    let access = use_context::<ServedBy>().filter(|served_by| served_by.is_closed).map(|_| "closed");
    let hydrated = !use_context::<Parts>().is_some_and(|request| is_plain(request.uri.path()));
    send_policy(hydrated);
    view! {
        <!DOCTYPE html>
        <html lang="en" data-access=access>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <meta name="theme-color" content="#f6f6f2" media="(prefers-color-scheme: light)" />
                <meta name="theme-color" content="#0d1013" media="(prefers-color-scheme: dark)" />
                <link rel="stylesheet" href=assets.css.clone() />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                {hydrated.then(|| view! { <StartScript assets /> })}
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

/// Loads and starts the WASM. Leptos' own tags would read hashes and files beside the binary; ours are inside it.
#[component]
fn StartScript(assets: Assets) -> impl IntoView {
    let overview = assets.overview;
    let (js, wasm) = assets.js.zip(assets.wasm)?;
    let script =
        format!("import init,{{hydrate}} from {js:?};init({{module_or_path:{wasm:?}}}).then(()=>hydrate())");
    Some(view! {
        <link rel="modulepreload" href=js />
        <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="anonymous" />
        <script type="module" nonce=use_nonce()>
            {script}
        </script>
        {overview.map(|overview| view! { <script type="module" src=overview nonce=use_nonce()></script> })}
    })
}

/// Only our own files and the inline scripts that carry this response's nonce: a status message that
/// slipped through escaping would still run nothing.
fn send_policy(hydrated: bool) {
    let (Some(response), Some(nonce)) = (use_context::<ResponseOptions>(), use_nonce()) else { return };
    let wasm = if hydrated { " 'wasm-unsafe-eval'" } else { "" };
    let policy = format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}'{wasm}; style-src 'self'; \
         img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; \
         frame-ancestors 'none'; form-action 'self'"
    );
    if let Ok(value) = HeaderValue::from_str(&policy) {
        response.insert_header(header::CONTENT_SECURITY_POLICY, value);
    }
}
