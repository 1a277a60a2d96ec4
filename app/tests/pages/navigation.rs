use crate::{
    fake::{Fake, FakeAlerts},
    render::get,
};
use streamgauge_app::{PAGES, Place};

/// Nothing fires: neither badge nor count.
fn calm() -> Fake {
    FakeAlerts { quiet: true, ..FakeAlerts::default() }.into()
}

#[tokio::test]
async fn the_navigation_has_each_page_of_the_list_once_and_no_empty_group() {
    let page = get("/", calm()).await;
    for entry in PAGES {
        let link = format!("<li><a href=\"{}\"", entry.path);
        let expected = usize::from(matches!(entry.place, Place::In(_)));
        assert_eq!(page.html.matches(&link).count(), expected, "{}", entry.path);
    }
    page.tells("Watch Overview Sessions Alerts More Tune Load tests");
    assert!(!page.text().contains("Prove"), "a group without a page is not shown");
}

#[tokio::test]
async fn a_page_in_the_navigation_has_its_title_there_and_is_marked() {
    for entry in PAGES.iter().filter(|page| matches!(page.place, Place::In(_))) {
        let page = get(entry.path, calm()).await;
        page.has(&format!("<title>{} · Streamgauge</title>", entry.title));
        page.has(&format!("aria-current=\"page\">{}</a></li>", entry.title));
        let tabs = if entry.path == "/alerts" { 1 } else { 0 };
        assert_eq!(page.html.matches("aria-current=\"page\"").count(), 1 + tabs, "{}", entry.path);
    }
}

#[tokio::test]
async fn a_page_under_another_marks_that_one() {
    for (path, mark) in [
        ("/search", "href=\"/sessions\" aria-current=\"true\">Sessions"),
        ("/sessions/tr-1", "href=\"/sessions\" aria-current=\"true\">Sessions"),
        ("/load-tests/9", "href=\"/load-tests\" rel=\"external\" aria-current=\"true\">Load tests"),
    ] {
        get(path, Fake::default()).await.has(mark);
    }
}

#[tokio::test]
async fn on_a_phone_the_button_for_more_names_the_page_behind_it() {
    let page = get("/load-tests", Fake::default()).await;
    page.has("popovertarget=\"more\" aria-current=\"true\">More<span class=\"sr\"> (Load tests)</span>");
    let page = get("/", Fake::default()).await;
    page.has("popovertarget=\"more\">More<span class=\"sr\"></span>");
    page.has("id=\"more\"");
    page.has("popover=\"auto\"");
}
