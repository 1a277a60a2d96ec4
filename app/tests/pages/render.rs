//! One request through leptos_axum, as the server handles it.

use crate::fake::Fake;
use axum::{body::Body, http::Request};
use http_body_util::BodyExt;
use leptos::prelude::provide_context;
use std::sync::Once;
use streamgauge_app::{
    api::backend::{Areas, Assets},
    shell,
};

pub struct Page {
    pub status: u16,
    pub policy: String,
    pub html: String,
}

impl Page {
    /// The text alone, tags and comments taken out, blanks folded.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for part in self.html.split('<').skip(1) {
            text.push_str(part.split_once('>').map_or("", |(_, text)| text));
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    pub fn says(&self, expected: &str) {
        let text = self.text();
        assert!(text.contains(expected), "{expected:?} is not in: {text}");
    }

    /// The same where cells and list items stand side by side: each tag is a blank.
    #[track_caller]
    pub fn tells(&self, expected: &str) {
        let parts =
            self.html.split('<').skip(1).map(|part| part.split_once('>').map_or("", |(_, text)| text));
        let text = parts.collect::<Vec<_>>().join(" ");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace(" , ", ", ").replace(" . ", ". ");
        assert!(text.contains(expected), "{expected:?} is not in: {text}");
    }

    #[track_caller]
    pub fn has(&self, expected: &str) {
        assert!(self.html.contains(expected), "{expected:?} is not in the document");
    }
}

pub async fn get(path: &str, backend: impl Into<Fake>) -> Page {
    // Sets the executor up, once before any page as the server does: a render beside it may wait for ever.
    static SET_UP: Once = Once::new();
    SET_UP.call_once(|| drop(leptos_axum::generate_route_list(shell)));
    let fake: Fake = backend.into();
    let areas = Areas::from(fake);
    let assets = Assets {
        css: "/assets/app.1.css".into(),
        js: Some("/assets/app.1.js".into()),
        wasm: Some("/assets/app.1.wasm".into()),
        session: Some("/assets/session.1.js".into()),
        overview: Some("/assets/overview.1.js".into()),
        alerts: Some("/assets/alerts.1.js".into()),
    };
    let context = move || {
        provide_context(areas.clone());
        provide_context(assets.clone());
    };
    let handler = leptos_axum::render_app_async_with_context(context, shell);
    let request = Request::get(path).body(Body::empty()).expect("a valid request");
    let response = handler(request).await;
    let policy = response
        .headers()
        .get("content-security-policy")
        .map(|value| value.to_str().expect("text").to_owned());
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a whole body").to_bytes();
    Page { status, policy: policy.unwrap_or_default(), html: String::from_utf8_lossy(&body).into_owned() }
}
