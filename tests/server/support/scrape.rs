use reqwest::RequestBuilder;
use std::collections::{BTreeMap, HashSet};

pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0";

/// What `/metrics` said: each series as it is written there, with its value. Read strictly, and by rules of its own:
/// nothing of the server's code is used.
pub struct Scrape {
    pub content_type: String,
    pub series: BTreeMap<String, f64>,
}

/// One family, as its head says.
#[derive(Default)]
struct Family {
    name: String,
    kind: String,
    /// Bucket counts so far, to see that they only grow.
    buckets: Vec<f64>,
}

impl Scrape {
    pub async fn of(request: RequestBuilder) -> Scrape {
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let content_type = answer.headers()["content-type"].to_str().expect("text").to_owned();
        let text = answer.text().await.expect("UTF-8");
        let open = content_type.starts_with("application/openmetrics-text");
        Scrape { series: parse(&text, open), content_type }
    }

    pub fn get(&self, series: &str) -> f64 {
        *self.series.get(series).unwrap_or_else(|| panic!("no {series}"))
    }

    /// Names of all series, without labels.
    pub fn names(&self) -> HashSet<&str> {
        self.series.keys().map(|series| series.split('{').next().unwrap_or_default()).collect()
    }
}

fn parse(text: &str, open: bool) -> BTreeMap<String, f64> {
    assert!(text.ends_with('\n') && text.ends_with("# EOF\n") == open, "the end of {text}");
    let body = text.strip_suffix("# EOF\n").unwrap_or(text);
    let (mut series, mut families, mut family) = (BTreeMap::new(), HashSet::new(), Family::default());
    let mut help = "";
    for line in body.lines() {
        if let Some(head) = line.strip_prefix("# HELP ") {
            let (name, words) = head.split_once(' ').expect("words");
            assert!(!words.is_empty(), "{line}");
            help = name;
        } else if let Some(head) = line.strip_prefix("# TYPE ") {
            let (name, kind) = head.split_once(' ').expect("a type");
            assert_eq!(name, help, "{line}");
            let kinds = ["counter", "gauge", "histogram", "info"];
            assert!(kinds.contains(&kind) && (open || kind != "info"), "{line}");
            assert!(families.insert(name.to_owned()), "twice: {line}");
            family = Family { name: name.into(), kind: kind.into(), buckets: Vec::new() };
        } else if let Some(head) = line.strip_prefix("# UNIT ") {
            let (name, unit) = head.split_once(' ').expect("a unit");
            assert!(open && name == family.name && name.ends_with(&format!("_{unit}")), "{line}");
        } else {
            let (name, value) = sample(line, &mut family, open);
            assert!(series.insert(name, value).is_none(), "twice: {line}");
        }
    }
    series
}

/// Of a line such as `name{label="value"} 1`.
fn sample(line: &str, family: &mut Family, open: bool) -> (String, f64) {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let value: f64 = value.parse().expect("a number");
    assert!(value.is_finite() && value >= 0.0, "{line}");
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').expect("a brace")),
        None => (series, ""),
    };
    assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'));
    let ending = name.strip_prefix(family.name.as_str()).unwrap_or_else(|| panic!("astray: {line}"));
    let endings: &[&str] = match family.kind.as_str() {
        "counter" if open => &["_total"],
        "info" => &["_info"],
        "histogram" => &["_bucket", "_sum", "_count"],
        _ => &[""],
    };
    assert!(endings.contains(&ending), "{line}");
    assert!(family.kind != "counter" || name.ends_with("_total"), "{line}");
    for label in labels.split(',').filter(|label| !label.is_empty()) {
        let (label, value) = label.split_once('=').expect("a label");
        let allowed = ["cohort", "reason", "way", "result", "source", "version", "le"];
        assert!(allowed.contains(&label), "labels are bounded: {line}");
        assert!(value.len() > 2 && value.starts_with('"') && value.ends_with('"'), "{line}");
    }
    match ending {
        "_bucket" => {
            assert!(labels.starts_with("le=\"") && value >= *family.buckets.last().unwrap_or(&0.0), "{line}");
            family.buckets.push(value);
            let last = labels == "le=\"+Inf\"";
            assert!(last || labels.contains('.'), "a bound reads as a float: {line}");
        }
        "_count" => assert_eq!(family.buckets.last(), Some(&value), "{line}"),
        _ => {}
    }
    (series.to_owned(), value)
}
