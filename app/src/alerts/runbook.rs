//! Runbooks of the shipped rules: `docs/operations/runbooks`, the same text beside the incident.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html::push_html};

/// The texts, by the rules that they are for. The burn rules share one a kind.
const RUNBOOKS: [(&str, &str); 7] = [
    ("SSE_High_Error_Rate", include_str!("../../../docs/operations/runbooks/SSE_High_Error_Rate.md")),
    ("SSE_High_Latency", include_str!("../../../docs/operations/runbooks/SSE_High_Latency.md")),
    ("SSE_Connection_Failure", include_str!("../../../docs/operations/runbooks/SSE_Connection_Failure.md")),
    ("Memory_Usage_High", include_str!("../../../docs/operations/runbooks/Memory_Usage_High.md")),
    (
        "Redis_Performance_Degradation",
        include_str!("../../../docs/operations/runbooks/Redis_Performance_Degradation.md"),
    ),
    ("Budget_Fast_Burn", include_str!("../../../docs/operations/runbooks/Budget_Fast_Burn.md")),
    ("Budget_Slow_Burn", include_str!("../../../docs/operations/runbooks/Budget_Slow_Burn.md")),
];

/// What comes first: the meaning and the first command. The rest is behind a click, and is long.
pub struct Runbook {
    pub first: String,
    pub rest: String,
}

/// As HTML. `host`: where this server answers, for the commands. `None`: a rule that was not shipped.
pub fn of(rule: &str, host: Option<&str>) -> Option<Runbook> {
    let is_of =
        |name: &str| rule == name || (name.starts_with("Budget_") && rule.ends_with(&format!("_{name}")));
    let (_, text) = RUNBOOKS.iter().find(|(name, _)| is_of(name))?;
    let is_host =
        |host: &&str| host.chars().all(|letter| letter.is_ascii_alphanumeric() || ".:-[]".contains(letter));
    let text = match host.filter(is_host) {
        Some(host) => text.replace("localhost:3000", host),
        None => (*text).to_owned(),
    };
    let cut = text.find("\n## Likely causes").unwrap_or(text.len());
    Some(Runbook { first: html(&text[..cut]), rest: html(&text[cut..]) })
}

/// The title is left out, headings are those of a panel, and HTML in the text is text.
fn html(text: &str) -> String {
    let mut in_title = false;
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).filter_map(|event| {
        use pulldown_cmark::HeadingLevel::{H1, H2, H3, H4};
        match event {
            Event::Start(Tag::Heading { level: H1, .. }) => {
                in_title = true;
                None
            }
            Event::End(TagEnd::Heading(H1)) => {
                in_title = false;
                None
            }
            _ if in_title => None,
            Event::Start(Tag::Heading { level: H2, id, classes, attrs }) => {
                Some(Event::Start(Tag::Heading { level: H3, id, classes, attrs }))
            }
            Event::End(TagEnd::Heading(H2)) => Some(Event::End(TagEnd::Heading(H3))),
            Event::Start(Tag::Heading { level: H3, id, classes, attrs }) => {
                Some(Event::Start(Tag::Heading { level: H4, id, classes, attrs }))
            }
            Event::End(TagEnd::Heading(H3)) => Some(Event::End(TagEnd::Heading(H4))),
            // Links lead to other files of the documentation, which this server does not have.
            Event::Start(Tag::Link { .. }) | Event::End(TagEnd::Link) => None,
            Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
            event => Some(event),
        }
    });
    let mut html = String::new();
    push_html(&mut html, events);
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shipped_rule_has_a_runbook_with_all_its_parts() {
        let shipped = streamgauge_core::alert::file::shipped::file().expect("rules without a fault");
        assert!(shipped.rules.len() >= 15);
        for rule in shipped.rules {
            let book = of(&rule.name, None).unwrap_or_else(|| panic!("{} has no runbook", rule.name));
            assert!(book.first.contains("<h3>What it means</h3>"), "{}", rule.name);
            assert!(book.first.contains("<h3>First command</h3>"), "{}", rule.name);
            assert!(book.first.contains("<pre>"), "{}", rule.name);
            for part in ["Likely causes", "How to confirm", "What to do", "When to escalate"] {
                assert!(book.rest.contains(&format!("<h3>{part}")), "{}: {part}", rule.name);
            }
        }
        assert!(of("Own_Rule", None).is_none());
    }

    #[test]
    fn commands_name_this_server_and_markup_stays_text() {
        let book = of("SSE_High_Error_Rate", Some("gauge.example.com")).expect("a shipped rule");
        assert!(book.first.contains("gauge.example.com") && !book.first.contains("localhost"));
        let strange = of("SSE_High_Error_Rate", Some("a`</pre><b>")).expect("a shipped rule");
        assert!(strange.first.contains("localhost:3000"));
        assert_eq!(html("a <b>c</b>"), "<p>a &lt;b&gt;c&lt;/b&gt;</p>\n");
    }
}
