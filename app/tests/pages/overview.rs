use crate::{
    fake::{Fake, FakeSessions},
    render::get,
};

#[tokio::test]
async fn the_figures_stand_there_with_their_units() {
    let page = get("/", Fake::default()).await;
    assert_eq!(page.status, 200);
    for expected in [
        "14 ms p95",
        "within target",
        "99.4 % fresher than polling",
        "97.8 %",
        "1,200 \u{2192} 26 requests an hour",
        "3,907 streams",
        "room for 6,093",
        "0.021 %",
        "of 43,118 operations",
        "target under 100 ms; last hour, n = 241,306 deliveries",
        "as of 14:42:07 UTC, 2 nodes",
        "Demo data.",
        "The history is not reachable.",
        "2 ms less than in the hour before, better",
    ] {
        page.says(expected);
    }
}

#[tokio::test]
async fn a_gauge_says_everything_that_it_draws() {
    let page = get("/", Fake::default()).await;
    page.has("aria-label=\"Update latency: 14 ms; target under 100 ms; polling 1,520 ms, measured\"");
    page.has("aria-label=\"Error rate: 0.021 %; target under 0.1 %\"");
    page.has("aria-label=\"Active connections: 3,907 streams; target at least 500 streams; 41 polling\"");
}

#[tokio::test]
async fn too_little_is_no_figure() {
    let page = get("/", Fake::fresh()).await;
    assert_eq!(page.status, 200);
    page.says("\u{2014} ms p95");
    page.says("not enough data");
    page.says("needs 20 deliveries, has 7");
    page.has("aria-label=\"Update latency: not enough data; target under 100 ms\"");
    page.has("Update latency, last hour: nothing measured.");
    page.says("nothing measured yet");
    page.says("No session is running. How to start one");
}

#[tokio::test]
async fn a_hole_in_the_figures_stays_a_hole_in_the_line() {
    let page = get("/", Fake::default()).await;
    // p95, streams, delivered and requests avoided: each in two pieces.
    assert_eq!(page.html.matches("<path class=\"line sse\" d=\"M").count(), 2 * 4 + 4, "and four sparklines");
    assert_eq!(page.html.matches("<path class=\"band sse\"").count(), 2);
    assert_eq!(page.html.matches("<path class=\"line poll\"").count(), 4);
}

#[tokio::test]
async fn the_range_lives_in_the_address() {
    let page = get("/?range=7d", Fake::default()).await;
    page.has("<a href=\"/?range=7d\" aria-current=\"true\"");
    page.says("last 7 days, n = 168 of 168 steps of 1 h".replace("168 of", "161 of").as_str());
    page.says("Wed 18 Nov");
    get("/?range=5y", Fake::default()).await.has("<a href=\"/?range=1h\" aria-current=\"true\"");
}

#[tokio::test]
async fn nothing_inline_runs_without_the_nonce() {
    let page = get("/", Fake::default()).await;
    let nonce =
        page.policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).expect("a nonce");
    let scripts = page.html.matches("<script").count();
    assert!(scripts >= 2, "the start and the data for hydration");
    assert_eq!(page.html.matches(&format!("nonce=\"{nonce}\"")).count(), scripts);
    assert!(!page.html.contains(" style="), "style attributes are forbidden by the policy");
    page.has("import init,{hydrate} from \"/assets/app.1.js\"");
}

#[tokio::test]
async fn a_failure_is_a_page_of_its_own() {
    let page = get("/", Fake::down()).await;
    assert_eq!(page.status, 503);
    page.says("These figures cannot be read now.");
    page.says("The history is not reachable; streams go on.");
}

#[tokio::test]
async fn an_unknown_address_is_not_found() {
    let page = get("/nothing/here", Fake::default()).await;
    assert_eq!(page.status, 404);
    page.says("Page not found");
}

/// Writes the pages as files, to look at: `LOOK=/tmp/look cargo test -p streamgauge-app --features ssr look`.
#[tokio::test]
async fn look() {
    let Ok(folder) = std::env::var("LOOK") else { return };
    let fresh = Fake::fresh();
    let ended = Fake::from(FakeSessions { ended: true, ..FakeSessions::default() });
    for (name, path, backend) in [
        ("overview", "/", Fake::default()),
        ("week", "/?range=7d", Fake::default()),
        ("fresh", "/", fresh.clone()),
        ("sessions", "/sessions", Fake::default()),
        ("empty", "/sessions", fresh),
        ("session", "/s/tr-9f31", Fake::default()),
        ("ended", "/s/tr-9f31", ended),
        ("down", "/", Fake::down()),
        ("load-tests", "/load-tests", Fake::default()),
        ("load-test", "/load-tests/9", Fake::default()),
        ("no-load-tests", "/load-tests", Fake::fresh()),
        ("missing", "/nothing", Fake::default()),
    ] {
        let page = get(path, backend).await;
        std::fs::write(format!("{folder}/{name}.html"), page.html).expect("the folder is there");
    }
}
