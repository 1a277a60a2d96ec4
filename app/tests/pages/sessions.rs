use crate::{
    fake::{Fake, FakeSessions},
    render::get,
};

#[tokio::test]
async fn running_sessions_are_listed() {
    let page = get("/sessions", Fake::default()).await;
    page.says("14 sessions running");
    // The browser's build has no route to it.
    page.has("href=\"/sessions/tr-9f31\" rel=\"external\"");
    page.says("transcription, eu-central");
    page.says("12 %");
}

#[tokio::test]
async fn an_empty_list_says_how_to_begin() {
    let page = get("/sessions", Fake::fresh()).await;
    page.says("No session is running.");
    page.says("curl -X POST");
}

#[tokio::test]
async fn a_session_is_there_before_any_script() {
    let page = get("/s/tr-9f31", Fake::default()).await;
    assert_eq!(page.status, 200);
    for expected in
        ["tr-9f31", "transcribing", "42 %", "running", "minute 18 of 43", "23 Nov 2026, 14:42:05 UTC"]
    {
        page.says(expected);
    }
}

#[tokio::test]
async fn a_public_page_brings_the_sdk_and_no_wasm() {
    let page = get("/s/tr-9f31", FakeSessions { poll: true, ..FakeSessions::default() }).await;
    for expected in [
        "data-url=\"/api/v1/sessions/tr-9f31/status\"",
        "data-cohort=\"poll\"",
        "data-heartbeat-ms=\"15000\"",
        "data-state=\"running\"",
        "src=\"/assets/session.1.js\"",
    ] {
        page.has(expected);
    }
    page.says("followed by polling, as the control group is");
    assert!(!page.html.contains("wasm"));
    assert!(!page.policy.contains("wasm"));
    assert!(get("/sessions", Fake::default()).await.policy.contains("wasm-unsafe-eval"));
}

#[tokio::test]
async fn before_its_first_status_a_session_says_so() {
    let page = get("/s/tr-9f31", Fake::fresh()).await;
    page.says("no status yet");
    page.has("<div hidden class=\"known\">");
}

#[tokio::test]
async fn an_ended_session_shows_its_result() {
    let page = get("/s/tr-9f31", FakeSessions { ended: true, ..FakeSessions::default() }).await;
    page.says("completed");
    page.says("&quot;words&quot;: 7412".replace("&quot;", "\"").as_str());
}

#[tokio::test]
async fn what_publishers_write_is_text() {
    let message = Some("<script>alert(1)</script>".into());
    let page = get("/s/tr-9f31", FakeSessions { message, ..FakeSessions::default() }).await;
    page.has("&lt;script&gt;alert(1)");
    assert!(!page.html.contains("<script>alert"), "escaped in the text and in the data for hydration");
}

#[tokio::test]
async fn no_such_session_is_not_found() {
    for path in ["/s/nowhere", "/s/a%20b"] {
        let page = get(path, Fake::default()).await;
        assert_eq!(page.status, 404, "{path}");
        page.says("No such session");
    }
}
