//! `/login`: where an admin shows a key. A plain form: it works without scripts, and the browser keeps nothing but the
//! cookie that the server answers with.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

#[component]
pub fn LoginPage() -> impl IntoView {
    let (failed, next) =
        use_query_map().with_untracked(|query| (query.get("failed").is_some(), query.get("next")));
    view! {
        <Title text="Sign in" />
        <main class="login">
            <h1>"Streamgauge"</h1>
            <form class="panel" method="post" action="/login">
                <label for="key">"API key with the scope admin"</label>
                <input
                    id="key"
                    name="key"
                    type="password"
                    required
                    autocomplete="current-password"
                    aria-describedby="hint"
                />
                {failed
                    .then(|| {
                        view! {
                            <p class="notice critical" role="alert">
                                "This API key is unknown, revoked, or lacks the scope for dashboards."
                            </p>
                        }
                    })}
                {next.map(|next| view! { <input type="hidden" name="next" value=next /> })}
                <button type="submit">"Sign in"</button>
                <p class="mut" id="hint">
                    "Made on the server by this, which shows it once:"
                </p>
                <pre tabindex="0" role="region" aria-label="Command"><code>
                    "streamgauge key create --name me --scope admin"
                </code></pre>
            </form>
        </main>
    }
    .into_any()
}
