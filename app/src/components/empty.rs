//! Nothing to show, loading, unreadable: each its own look, none of them a blank.

use crate::api::Failure;
use leptos::prelude::*;

#[component]
pub fn Loading() -> impl IntoView {
    view! { <p class="panel loading" role="status">"Reading the figures…"</p> }.into_any()
}

#[component]
pub fn Unreadable(failure: Failure) -> impl IntoView {
    // The document's own status says it too: a monitor that reads no words must not take it for a good page.
    #[cfg(feature = "ssr")]
    crate::pages::missing::answer_with(http::StatusCode::SERVICE_UNAVAILABLE);
    view! {
        <section class="panel unreadable" role="alert">
            <h2>{failure.title()}</h2>
            <p>{failure.detail().to_owned()}</p>
            <p class="mut">"Nothing is lost by waiting: reload in a moment."</p>
        </section>
    }
    .into_any()
}

/// No session runs: says how the first one is made.
#[component]
pub fn NoSessions() -> impl IntoView {
    view! {
        <div class="empty">
            <svg viewBox="0 0 24 24" width="40" height="40" aria-hidden="true">
                <path d="M2 12h4.5M13.5 12H22M18 7v10"></path>
                <circle cx="10" cy="12" r="3.5"></circle>
            </svg>
            <h2>"No session is running."</h2>
            <p>"A session begins with its first status. Publish one:"</p>
            <pre tabindex="0" role="region" aria-label="Command"><code>{command()}</code></pre>
            <p>"and follow it at "<a href="/s/first" rel="external">"/s/first"</a>"."</p>
        </div>
    }
    .into_any()
}

/// No run is kept: says how the first one is made.
#[cfg(feature = "ssr")]
#[component]
pub fn NoLoadTests(scenario: Option<String>) -> impl IntoView {
    let named = scenario.is_some();
    let title = if named { "No run of this scenario is kept." } else { "No load test is kept yet." };
    let command = format!(
        "streamgauge loadtest burst --time-scale 0.1 --url http://{}",
        host().unwrap_or_else(|| "localhost:3000".into())
    );
    view! {
        <div class="empty">
            <svg viewBox="0 0 24 24" width="40" height="40" aria-hidden="true">
                <path d="M3 20h18M6 16v-4M11 16V6M16 16v-7M21 16v-2"></path>
            </svg>
            <h2>{title}</h2>
            <p>"A run puts load on this server, judges it by its targets, and posts the result here:"</p>
            <pre tabindex="0" role="region" aria-label="Command"><code>{command}</code></pre>
            {named.then(|| view! { <p><a href="/load-tests">"All scenarios"</a></p> })}
        </div>
    }
    .into_any()
}

fn command() -> String {
    format!(
        r#"curl -X POST {}/api/v1/sessions/first/status \
  -H 'content-type: application/json' \
  -d '{{"stage":"upload","progress":10}}'"#,
        host().unwrap_or_else(|| "localhost:3000".into())
    )
}

/// The address under which the reader came.
#[cfg(feature = "ssr")]
pub fn host() -> Option<String> {
    let request = use_context::<http::request::Parts>()?;
    request.headers.get(http::header::HOST)?.to_str().ok().map(str::to_owned)
}

#[cfg(feature = "hydrate")]
fn host() -> Option<String> {
    web_sys::window()?.location().host().ok()
}

#[cfg(not(any(feature = "ssr", feature = "hydrate")))]
fn host() -> Option<String> {
    None
}
