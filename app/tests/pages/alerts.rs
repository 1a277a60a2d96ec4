use crate::{
    fake::{Fake, FakeAlerts},
    render::{Page, get},
};
use streamgauge_app::PAGES;

fn fake(change: impl Fn(&mut FakeAlerts)) -> FakeAlerts {
    let mut fake = FakeAlerts::default();
    change(&mut fake);
    fake
}

const EVERY: [&str; 8] = [
    "/alerts",
    "/alerts/history",
    "/alerts/rules",
    "/alerts/silences",
    "/alerts/incidents/217",
    "/alerts/incidents/215",
    "/alerts/rules/SSE_High_Error_Rate?metric=error_rate&comparison=%3E&threshold=1.5&duration=5m&severity=critical&name=SSE_High_Error_Rate",
    "/alerts/rules/new",
];

#[tokio::test]
async fn the_list_says_what_needs_a_person_and_offers_that_act() {
    let page = get("/alerts", Fake::default()).await;
    assert_eq!(page.status, 200);
    for expected in [
        "3 alerts are firing, 1 of them recovering. One is not acknowledged.",
        "Average latency is above 500 ms for 9 min, and nobody has acknowledged it.",
        "Acknowledge average latency",
        "as of 14:42:07 UTC",
        "32 bad of 1,031 in 5 min, bound 2.0 % &gt; 1 %; 5 of 5 minutes above",
        "1 pending, 1 recovering; neither sends notifications",
        "2, of them 1 acknowledged",
        "Not acknowledged yet",
        "pagerduty is not set up",
        "18 of 19 judged were real: between 74 % and 99 %",
        "rule without data: Error budget slow burn",
        "Published is not judged",
    ] {
        page.says(expected);
    }
    page.has("action=\"/api/admin/incidents/218/acknowledge\"");
    page.has("aria-label=\"3.1\u{a0}%, threshold 1\u{a0}%, worst in 24 hours 4.6\u{a0}%\"");
    assert_eq!(page.html.matches("button primary").count(), 1, "one thing to do first");
}

#[tokio::test]
async fn quiet_is_proven() {
    let page = get("/alerts", fake(|fake| fake.quiet = true)).await;
    for expected in [
        "Nothing is firing.",
        "The last incident ended",
        "6 of 7 rules have data and were evaluated 2 s ago.",
        "How far each quiet rule is from firing",
        "Highest 0.3 %",
        "Lowest 91.4 %: fired",
        "did not fire",
        "fra-1 evaluates, every 10 s",
        "All rules silenced until",
        "database backup",
    ] {
        page.says(expected);
    }
    page.has("<title>Alerts · Streamgauge</title>");
    let page = get("/alerts", fake(|fake| fake.fresh = true)).await;
    page.says("No incident is on record.");
    page.says("Nobody has judged an incident yet");
    page.says("No silence is set, no maintenance is planned");
}

#[tokio::test]
async fn alerts_that_nobody_evaluates_are_not_called_quiet() {
    let page = get("/alerts", fake(|fake| (fake.quiet, fake.stale) = (true, true))).await;
    page.says("Alerts are not being evaluated.");
    page.says("The last evaluation ended at 14:37:07, 5 min ago.");
    assert!(!page.text().contains("Nothing is firing."));
}

#[tokio::test]
async fn every_page_says_that_something_fires() {
    for path in ["/", "/sessions", "/search", "/load-tests", "/alerts/rules", "/alerts/incidents/217"] {
        let page = get(path, Fake::default()).await;
        page.has("<span class=\"badge\">3<span class=\"sr\"> firing</span></span>");
        page.has("<title>(3) ");
        page.says("3 alerts are firing, not all acknowledged, 1 pending. Error rate is above 1 %");
    }
    let quiet = get("/", fake(|fake| fake.quiet = true)).await;
    quiet.says("No alert is firing.");
    assert!(!quiet.html.contains("class=\"badge\""));
}

#[tokio::test]
async fn charts_of_the_overview_show_levels_and_when_rules_fired() {
    let page = get("/", Fake::default()).await;
    page.has("<rect class=\"area fire\"");
    page.says("alert 500");
    assert!(!page.text().contains("alert 14.4"), "a burn rate is not on the scale of its metric");
    let down = get("/", fake(|fake| fake.down = true)).await;
    assert_eq!(down.status, 200, "charts without levels are better than none");
    assert!(!down.html.contains("class=\"area fire\""));
}

#[tokio::test]
async fn an_incident_is_told_from_its_headline_to_its_timeline() {
    let page = get("/alerts/incidents/217", Fake::default()).await;
    for expected in [
        "Error rate above 1 % for 19 min, on fra-2",
        "owner Mara Lindqvist, acknowledged 14:30:08",
        "Why it fired: 34 bad of 1,012 in 5 min",
        "Firing, critical at 3.4 %",
        "Note by Mara Lindqvist",
        "Only fra-2 &lt;script&gt;.",
        "First command",
        "When to escalate",
        "n = 96,420 events or samples",
        "Nothing is published of this incident.",
    ] {
        page.tells(&expected.replace("&lt;", "<").replace("&gt;", ">"));
    }
    page.has("href=\"/api/admin/incidents/217.md\"");
    page.has("action=\"/api/admin/incidents/217/note\"");
    page.has("action=\"/api/admin/incidents/217/resolve\"");
    assert!(!page.html.contains("incidents/217/acknowledge"), "it is acknowledged");
    let text = page.text();
    let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words} is missing"));
    assert!(
        place("First command") < place("Deploy"),
        "the first command does not move as the timeline grows"
    );
}

#[tokio::test]
async fn an_open_incident_asks_to_be_acknowledged_and_a_resolved_one_to_be_judged() {
    let open = get("/alerts/incidents/218", Fake::default()).await;
    open.has("action=\"/api/admin/incidents/218/acknowledge\"");
    open.has("name=\"remind_after\" value=\"3600\"");
    open.says("Silenced until 15:32:07 by Jonas Weber: bulk import");
    open.has("action=\"/api/admin/silences/4/end\"");
    let past = get("/alerts/incidents/215", Fake::default()).await;
    past.says("It was clear for 5 min.");
    past.has("aria-label=\"Was incident 215 real?\"");
    past.says("again after #214");
    past.says("made up by the demo");
    assert!(!past.html.contains("incidents/215/resolve"));
}

#[tokio::test]
async fn history_is_filtered_paged_and_judged() {
    let page = get("/alerts/history", Fake::default()).await;
    page.says("#213 Error rate is above 1 %");
    page.has("href=\"/alerts/history?before=211\"");
    page.has("name=\"outcome\" value=\"false\" aria-pressed=\"true\"");
    let page = get("/alerts/history?outcome=false&rule=SSE_High_Error_Rate", Fake::default()).await;
    page.says("#213");
    assert!(!page.text().contains("#214"));
    page.has("value=\"/alerts/history?rule=SSE_High_Error_Rate&amp;outcome=false\"");
    get("/alerts/history?rule=Nothing", Fake::default()).await.says("No incident matches.");
    get("/alerts/history", fake(|fake| fake.fresh = true)).await.says("No rule has fired yet.");
}

#[tokio::test]
async fn a_rule_is_a_sentence_of_controls_with_what_is_saved() {
    let page = get("/alerts/rules/SSE_High_Error_Rate", Fake::default()).await;
    page.has("<option value=\"error_rate\" data-unit=\"%\" selected");
    page.has("name=\"threshold\"");
    page.says("version 3");
    page.says("Saving keeps incident #217 open");
    page.says("What would this rule have done?");
    page.tells("recover 0.8%");
    page.tells("Jonas Weber, 8 Oct");
    page.has("formaction=\"/api/admin/alerts\"");
    page.has("action=\"/api/admin/alerts/SSE_High_Error_Rate/end\"");
}

#[tokio::test]
async fn a_draft_is_tested_and_compared_without_scripts() {
    let page = get(EVERY[6], Fake::default()).await;
    for expected in [
        "draft of version 4, not saved",
        "was 1%",
        "Would have fired 3 times, 41 min in all.",
        "It finds 2 of 2 incidents judged real.",
        "It finds 0 of 1 incident judged false.",
        "99.9 % of the 30 days are covered",
        "Saved against draft",
        "false, #210",
        "kept by the minute",
        "fires from 38 bad",
        "condition: error_rate &gt; 1.5%",
    ] {
        page.says(expected);
    }
    page.has("aria-label=\"2\u{a0}%: fires 3 times\"");
    let faulty = get(EVERY[6], fake(|fake| fake.faulty = true)).await;
    faulty.says("did you mean `error_rate`?");
    assert_eq!(faulty.status, 200);
}

#[tokio::test]
async fn a_draft_of_an_older_version_says_so() {
    let page = get("/alerts/rules/SSE_High_Error_Rate?metric=error_rate&version=2", Fake::default()).await;
    page.says("Version 3 was saved by Jonas Weber");
    page.says("Your draft began from version 2, and was not saved.");
}

#[tokio::test]
async fn a_file_makes_rules_read_only_and_a_draft_still_tested() {
    let page = get(EVERY[6], fake(|fake| fake.file = true)).await;
    page.says("/etc/streamgauge/alerts.yml");
    page.says("Would have fired 3 times");
    for act in ["formaction=\"/api/admin/alerts\"", "Restore", "/end\""] {
        assert!(!page.html.contains(act), "{act}");
    }
}

#[tokio::test]
async fn a_new_rule_has_a_name_and_one_of_two_kinds() {
    let page = get("/alerts/rules/new", Fake::default()).await;
    page.has("id=\"name\"");
    page.says("Create the rule");
    page.has("name=\"version\" value=\"0\"");
    let burn = get("/alerts/rules/new?kind=burn", Fake::default()).await;
    burn.says("When the error budget of");
    burn.has("name=\"kind\" value=\"burn\"");
}

#[tokio::test]
async fn silences_and_maintenance_are_listed_begun_and_ended() {
    let page = get("/alerts/silences", Fake::default()).await;
    for expected in
        ["until it is resolved", "nothing now", "SSE_High_Latency", "0 14 * * 4", "1 h 00 min, Europe/Berlin"]
    {
        page.says(expected);
    }
    page.has("action=\"/api/admin/silences/3/end\"");
    assert!(!page.html.contains("silences/2/end"), "it has ended");
    page.has("action=\"/api/admin/maintenance/1/end\"");
    page.has("<option value=\"resolved\">until it is resolved");
    page.has("type=\"datetime-local\" id=\"from\" name=\"from\" required value=\"2026-11-23T15:00\"");
}

#[tokio::test]
async fn what_is_not_there_and_what_cannot_be_read() {
    for nowhere in ["/alerts/incidents/9", "/alerts/incidents/x", "/alerts/rules/Nothing"] {
        assert_eq!(get(nowhere, Fake::default()).await.status, 404, "{nowhere}");
    }
    for path in EVERY {
        let page = get(path, Fake::down()).await;
        assert_eq!(page.status, 503, "{path}");
        page.says("which cannot be reached");
    }
}

/// Names that stand twice are one control to a form's label and to a script.
#[tokio::test]
async fn the_documents_are_sound() {
    for path in EVERY {
        let page = get(path, Fake::default()).await;
        assert_eq!(page.html.matches("<h1").count(), 1, "{path}");
        assert!(!page.html.contains("style=\""), "{path}: the content policy refuses inline styles");
        let mut ids: Vec<&str> = ids(&page).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{path}: an id stands twice");
        for part in page.html.split(" for=\"").skip(1) {
            let name = part.split('"').next().unwrap_or_default();
            assert!(ids.contains(&name), "{path}: a label for nothing: {name}");
        }
        for form in page.html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap_or_default();
            let posts = form.contains("method=\"post\"") && !form.contains("action=\"/logout\"");
            assert!(!posts || form.contains("name=\"back\""), "{path}: {form}");
        }
        assert!(!page.policy.contains("wasm"), "{path}");
    }
    assert!(PAGES.iter().filter(|page| page.path.starts_with("/alerts")).count() == 7);
}

fn ids(page: &Page) -> impl Iterator<Item = &str> {
    page.html.split(" id=\"").skip(1).filter_map(|part| part.split('"').next())
}

/// Writes each page to the folder that `PAGES_OUT` names, to be looked at with the real style.
#[tokio::test]
async fn pages_are_written_where_they_are_asked_for() {
    let Ok(out) = std::env::var("PAGES_OUT") else { return };
    let quiet = fake(|fake| fake.quiet = true);
    let mut pages: Vec<(String, Page)> = vec![("quiet".into(), get("/alerts", quiet).await)];
    for path in EVERY.into_iter().chain(["/", "/alerts/incidents/218"]) {
        let name = path.split('?').next().unwrap_or_default().replace('/', "_");
        pages.push((name, get(path, Fake::default()).await));
    }
    for (name, page) in pages {
        std::fs::write(format!("{out}/{name}.html"), page.html).expect("a folder to write to");
    }
}
