//! `/s/{id}`: the public page of one session. Rendered here and never hydrated: its visitors wait for a result and must
//! not download a dashboard. `public/session.js` and the SDK keep it current, and find what they write by its class.

use super::missing::answer_with;
use crate::{
    api::{self, backend::Assets},
    components::{
        bound::waiting,
        empty::{Loading, Unreadable},
        frame::Brand,
        progress::progress,
    },
    text::time::{self, Zone},
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use streamgauge_core::{
    page::view::PublicSession,
    session::{
        cohort::Cohort,
        data::Data,
        ids::SessionId,
        status::{State, StatusEvent},
    },
};

#[component]
pub fn SessionPage() -> impl IntoView {
    let id = use_params_map().with_untracked(|params| params.get("id")?.parse::<SessionId>().ok());
    let title = id.as_ref().map_or_else(|| "No such session".into(), SessionId::to_string);
    let page = waiting(move || {
        // What cannot be an id names no session.
        let read = id.clone().map(api::sessions::public);
        async move {
            let found = match read {
                Some(read) => read.await,
                None => Ok(None),
            };
            match found {
                Ok(Some(session)) => view! { <Session session /> }.into_any(),
                Ok(None) => view! { <NoSession /> }.into_any(),
                Err(failure) => view! { <Unreadable failure /> }.into_any(),
            }
        }
    });
    view! {
        <Title text=title />
        <div class="alone">
            <header class="masthead"><Brand /></header>
            <main id="main"><Suspense fallback=Loading>{page}</Suspense></main>
        </div>
    }
    .into_any()
}

#[component]
fn Session(session: PublicSession) -> impl IntoView {
    let PublicSession { id, cohort, current, poll_url, heartbeat_ms } = session;
    let script = use_context::<Assets>().and_then(|assets| assets.session);
    let script = script.map(|address| {
        view! {
            <link rel="modulepreload" href="/sdk/streamgauge.js" />
            <script type="module" src=address></script>
        }
    });
    view! {
        <article
            class="session"
            data-url=poll_url
            data-cohort=cohort.as_str()
            data-heartbeat-ms=heartbeat_ms.to_string()
            data-state=current.as_ref().map_or("running", |event| event.state.as_str())
        >
            {heading(&id, current.as_ref())}
            {now(current.as_ref())}
            {journal(cohort, current.as_ref())}
        </article>
        {script}
    }
    .into_any()
}

fn has_ended(event: Option<&StatusEvent>) -> bool {
    event.is_some_and(|event| event.state.has_ended())
}

fn heading(id: &SessionId, event: Option<&StatusEvent>) -> impl IntoView + use<> {
    let (class, words) = match event {
        Some(event) if event.state.has_ended() => ("ended", "ended"),
        Some(_) => ("served", "as of"),
        None => ("served", "no status yet"),
    };
    // The reader's clock is not known here: the script writes it anew.
    let (iso, moment) = event.map_or_else(Default::default, |event| {
        let at = event.at / 1_000;
        (time::iso(at), format!("{} UTC", Zone::Utc.moment(at)))
    });
    let reload = (!has_ended(event)).then(|| view! { <noscript>" (reload for newer status)"</noscript> });
    view! {
        <header class="top">
            <div>
                <h1 class="id">{id.to_string()}</h1>
                <p class=format!("freshness {class}")>
                    <span class="pulse" aria-hidden="true"></span>
                    <span class="words">{words}</span>
                    " "
                    <time datetime=iso>{moment}</time>
                    {reload}
                </p>
                // A change of the state or of the connection is said here; progress is not, it would never be silent.
                <p class="sr" role="status"></p>
            </div>
        </header>
    }
}

/// Both halves are there before the first event, so that the script only fills and shows.
fn now(event: Option<&StatusEvent>) -> impl IntoView + use<> {
    let none = event.is_none();
    let state = event.map_or(State::Running, |event| event.state);
    let words = match state {
        State::Running => "running",
        State::Completed => "completed",
        State::Failed => "failed",
        State::Abandoned => "abandoned: its publisher has gone silent",
    };
    let stage = event.map(|event| event.stage.clone()).unwrap_or_default();
    let message = event.and_then(|event| event.message.clone()).unwrap_or_default();
    let percent = event.map_or(0, |event| event.progress);
    // What the session brought is shown once it has ended.
    let data = event.filter(|event| event.state.has_ended()).and_then(|event| event.data.as_ref());
    let unfinished = data.is_none();
    let result = data.map(Data::laid_out).unwrap_or_default();
    view! {
        <section class="panel now" aria-label="Current status">
            <p class="mut none" hidden=!none>
                "Nothing was published yet. The first status appears here as it comes."
            </p>
            <div class="known" hidden=none>
                <header>
                    <h2 class="stage">{stage}</h2>
                    <span class=format!("outcome {}", state.as_str())>{words}</span>
                </header>
                <p class="big"><b class="percent">{percent.to_string()}</b>" "<i>"%"</i></p>
                {progress(percent, state)}
                <p class="message">{message}</p>
                <div class="result" hidden=unfinished>
                    <h3>"Result"</h3>
                    <pre tabindex="0" role="region" aria-label="Result"><code>{result}</code></pre>
                </div>
            </div>
        </section>
    }
}

fn journal(cohort: Cohort, event: Option<&StatusEvent>) -> impl IntoView + use<> {
    let way = match cohort {
        Cohort::Stream => "followed by stream",
        Cohort::Poll => "followed by polling, as the control group is",
    };
    let quiet = if has_ended(event) {
        "The session had ended before this page was opened."
    } else {
        "With scripts on, each event is listed here as it arrives."
    };
    view! {
        <section class="panel journal" aria-labelledby="journal">
            <header>
                <h2 id="journal">"Received"</h2>
                <p class="legend">{way}</p>
            </header>
            <ol></ol>
            <p class="mut none">{quiet}</p>
        </section>
    }
}

#[component]
fn NoSession() -> impl IntoView {
    answer_with(http::StatusCode::NOT_FOUND);
    view! {
        <h1>"No such session"</h1>
        <p>"It never began, or it ended so long ago that nothing is kept of it."</p>
    }
    .into_any()
}
