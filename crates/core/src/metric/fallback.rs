//! Why clients left the stream for polling: counted by reason, browser, region and route, and the patterns in that, in
//! words.

use crate::metric::beacon::FallbackReason;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

impl FallbackReason {
    pub const ALL: [FallbackReason; 6] = [
        FallbackReason::Watchdog,
        FallbackReason::Buffered,
        FallbackReason::ConnectFailed,
        FallbackReason::TooManyTabs,
        FallbackReason::Refused,
        FallbackReason::NoEventSource,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            FallbackReason::NoEventSource => "no_event_source",
            FallbackReason::ConnectFailed => "connect_failed",
            FallbackReason::Watchdog => "watchdog",
            FallbackReason::Buffered => "buffered",
            FallbackReason::Refused => "refused",
            FallbackReason::TooManyTabs => "too_many_tabs",
        }
    }

    pub fn parse(text: &str) -> Option<FallbackReason> {
        FallbackReason::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    pub fn title(self) -> &'static str {
        match self {
            FallbackReason::NoEventSource => "No EventSource",
            FallbackReason::ConnectFailed => "Connect failed",
            FallbackReason::Watchdog => "Watchdog: no ping in time",
            FallbackReason::Buffered => "Buffered by a proxy",
            FallbackReason::Refused => "Refused by a limit",
            FallbackReason::TooManyTabs => "Too many tabs",
        }
    }

    /// What to look at first.
    pub fn hint(self) -> &'static str {
        match self {
            FallbackReason::NoEventSource => "A very old browser, or a web view without EventSource.",
            FallbackReason::ConnectFailed => {
                "Something on the way refuses event streams, or the node could not be reached: look at connects by node."
            }
            FallbackReason::Watchdog => {
                "Pings stopped on the way: a proxy or carrier that cuts quiet connections. A shorter heartbeat_ms helps."
            }
            FallbackReason::Buffered => {
                "A proxy holds events back: turn its buffering and compression off for text/event-stream."
            }
            FallbackReason::Refused => {
                "Streams per user, address or node are at their limit: raise it by PATCH /api/admin/limits."
            }
            FallbackReason::TooManyTabs => {
                "Browsers allow six connections a host on HTTP/1.1: serve HTTP/2, or follow several sessions on one stream."
            }
        }
    }
}

/// A browser's family from its User-Agent: few words, so that they may be counted by.
pub fn browser(agent: &str) -> &'static str {
    // In this order: most say that they are Chrome and Safari too.
    const FAMILIES: [(&str, &str); 11] = [
        ("Edg/", "Edge"),
        ("EdgA/", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("HeadlessChrome/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Trident/", "Internet Explorer"),
        ("Safari/", "Safari"),
    ];
    FAMILIES.iter().find(|(mark, _)| agent.contains(mark)).map_or("other", |(_, name)| name)
}

/// The shape of a page's address: its path with whatever looks like an id taken out, so that all sessions' pages are one
/// route. `referer`: as the header has it.
pub fn route(referer: &str) -> String {
    let rest = referer.split_once("://").map_or(referer, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |slash| &rest[slash..]);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut route = String::new();
    for part in path.split('/').filter(|part| !part.is_empty()).take(5) {
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        let plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        let is_id = digits * 4 >= part.len() || part.len() > 24 || !plain;
        route.push('/');
        route.push_str(if is_id { ":id" } else { part });
    }
    if route.is_empty() { "/".into() } else { route }
}

/// Routes that are told apart; what more there are goes by one name. Anybody can claim a page of any address.
const ROUTES: usize = 200;
const OTHER_ROUTES: &str = "other";

/// The routes of which pages came.
#[derive(Debug, Default)]
pub struct Routes(BTreeSet<String>);

impl Routes {
    /// `referer`: as the header has it.
    pub fn of(&mut self, referer: &str) -> String {
        let route = route(referer);
        if !self.0.contains(&route) {
            if self.0.len() >= ROUTES {
                return OTHER_ROUTES.to_owned();
            }
            self.0.insert(route.clone());
        }
        route
    }
}

/// Fallbacks of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallbacks {
    pub reason: FallbackReason,
    pub browser: String,
    pub region: String,
    pub route: String,
    pub count: u64,
    /// The first of them, Unix seconds.
    pub since: i64,
}

/// Pages of one kind that were seen: what its fallbacks are a share of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub browser: String,
    pub region: String,
    pub route: String,
    pub pages: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dimension {
    Browser,
    Region,
    Route,
}

impl Dimension {
    pub const ALL: [Dimension; 3] = [Dimension::Region, Dimension::Browser, Dimension::Route];

    pub fn as_str(self) -> &'static str {
        match self {
            Dimension::Browser => "browser",
            Dimension::Region => "region",
            Dimension::Route => "route",
        }
    }

    fn of(self, fallbacks: &Fallbacks) -> &str {
        match self {
            Dimension::Browser => &fallbacks.browser,
            Dimension::Region => &fallbacks.region,
            Dimension::Route => &fallbacks.route,
        }
    }

    fn of_seen(self, seen: &Seen) -> &str {
        match self {
            Dimension::Browser => &seen.browser,
            Dimension::Region => &seen.region,
            Dimension::Route => &seen.route,
        }
    }
}

/// One reason that is much likelier in one place than in all others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pattern {
    pub reason: FallbackReason,
    pub dimension: Dimension,
    pub value: String,
    /// How many times likelier a page from there reports it.
    pub times: f64,
    pub count: u64,
    /// Of the first of them, Unix seconds.
    pub since: i64,
    /// Standard deviations above chance.
    pub strength: f64,
}

/// Fewer than this are an anecdote.
const LEAST: u64 = 5;
/// So many standard deviations above what chance would give: with some fifty comparisons a window, one false pattern in
/// a thousand windows.
const STRENGTH: f64 = 4.0;
const LIKELIER: f64 = 2.0;

/// The strongest patterns, at most three, one a reason.
pub fn patterns(fallbacks: &[Fallbacks], seen: &[Seen]) -> Vec<Pattern> {
    let pages: u64 = seen.iter().map(|seen| seen.pages).sum();
    let mut found = Vec::new();
    for reason in FallbackReason::ALL {
        let of_reason: Vec<&Fallbacks> = fallbacks.iter().filter(|one| one.reason == reason).collect();
        for dimension in Dimension::ALL {
            let values: BTreeSet<&str> = of_reason.iter().map(|one| dimension.of(one)).collect();
            found.extend(values.into_iter().filter_map(|value| {
                let there = seen.iter().filter(|seen| dimension.of_seen(seen) == value);
                pattern(&of_reason, dimension, value, there.map(|seen| seen.pages).sum(), pages)
            }));
        }
    }
    found.sort_by(|a: &Pattern, b| b.strength.total_cmp(&a.strength));
    let mut reasons = BTreeSet::new();
    found.retain(|pattern| reasons.insert(pattern.reason.as_str()));
    found.truncate(3);
    found
}

fn pattern(
    fallbacks: &[&Fallbacks],
    dimension: Dimension,
    value: &str,
    there: u64,
    pages: u64,
) -> Option<Pattern> {
    let here: Vec<_> = fallbacks.iter().filter(|one| dimension.of(one) == value).collect();
    let count = here.iter().map(|one| one.count).sum();
    let all: u64 = fallbacks.iter().map(|one| one.count).sum();
    let elsewhere = pages.saturating_sub(there);
    // Where there is no elsewhere, nothing can be likelier than there.
    if count < LEAST || there == 0 || elsewhere == 0 {
        return None;
    }
    let share = there as f64 / pages as f64;
    let expected = all as f64 * share;
    let strength = (count as f64 - expected) / (expected * (1.0 - share)).sqrt();
    // Half an event where there was none: a ratio to nothing is no number.
    let others = ((all - count) as f64).max(0.5) / elsewhere as f64;
    let times = count as f64 / there as f64 / others;
    let since = here.iter().map(|one| one.since).min()?;
    (strength >= STRENGTH && times >= LIKELIER).then(|| Pattern {
        reason: fallbacks[0].reason,
        dimension,
        value: value.to_owned(),
        times,
        count,
        since,
        strength,
    })
}

/// A value and how often it stands there.
pub type Count = (String, u64);

/// The analysis of one range.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Analysis {
    /// Sessions of the stream cohort with a fallback, and all of them.
    pub fell_back: u64,
    pub sessions: u64,
    /// Fallbacks, of which a session may have several.
    pub events: u64,
    pub by_reason: Vec<(FallbackReason, u64)>,
    /// The commonest first, at most six.
    pub by_browser: Vec<Count>,
    pub by_region: Vec<Count>,
    pub by_route: Vec<Count>,
    /// Fallbacks in each step of the range, by the step's start.
    pub over_time: Vec<(i64, u64)>,
    pub patterns: Vec<Pattern>,
}

/// What [`Analysis`] shows of a dimension.
const SHOWN: usize = 6;

impl Analysis {
    /// `counted`: fallbacks in each step that had some. `from`, `to`, `step`: the range, Unix seconds.
    pub fn of(
        fallbacks: &[Fallbacks],
        seen: &[Seen],
        counted: &[(i64, u64)],
        (from, to, step): (i64, i64, i64),
    ) -> Analysis {
        let by = |dimension: Dimension| {
            let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
            fallbacks.iter().for_each(|one| *counts.entry(dimension.of(one)).or_default() += one.count);
            let mut counts: Vec<Count> = counts.into_iter().map(|(value, n)| (value.to_owned(), n)).collect();
            counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            counts.truncate(SHOWN);
            counts
        };
        let of = |reason| fallbacks.iter().filter(|one| one.reason == reason).map(|one| one.count).sum();
        let mut by_reason: Vec<(FallbackReason, u64)> = FallbackReason::ALL
            .into_iter()
            .map(|reason| (reason, of(reason)))
            .filter(|(_, count)| *count > 0)
            .collect();
        by_reason.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut over_time: BTreeMap<i64, u64> =
            (from..to).step_by(usize::try_from(step).unwrap_or(1).max(1)).map(|at| (at, 0)).collect();
        for (at, count) in counted {
            over_time.insert(*at, *count);
        }
        Analysis {
            fell_back: 0,
            sessions: 0,
            events: over_time.values().sum(),
            by_reason,
            by_browser: by(Dimension::Browser),
            by_region: by(Dimension::Region),
            by_route: by(Dimension::Route),
            over_time: over_time.into_iter().collect(),
            patterns: patterns(fallbacks, seen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(count: u64, since: i64, reason: FallbackReason, browser: &str, region: &str) -> Fallbacks {
        Fallbacks { reason, browser: browser.into(), region: region.into(), route: "/".into(), count, since }
    }

    fn seen(browser: &str, region: &str, pages: u64) -> Seen {
        Seen { browser: browser.into(), region: region.into(), route: "/".into(), pages }
    }

    #[test]
    fn agents_have_a_family() {
        let check = |agent, expected| assert_eq!(browser(agent), expected, "{agent}");
        check(
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36",
            "Chrome",
        );
        check(
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0",
            "Edge",
        );
        check(
            "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
            "Safari",
        );
        check("Mozilla/5.0 (X11; Linux) Gecko/20100101 Firefox/132.0", "Firefox");
        check("curl/8.5.0", "other");
        check("", "other");
    }

    #[test]
    fn routes_are_few() {
        let check = |referer, expected: &str| assert_eq!(route(referer), expected, "{referer}");
        check("https://app.example/meetings/8f3a91/notes?tab=2#x", "/meetings/:id/notes");
        check("https://app.example", "/");
        check("https://app.example/s/tr-9f31", "/s/:id");
        check("http://h/a/b/c/d/e/f/g", "/a/b/c/d/e");
        check("", "/");
        check("https://h/<script>", "/:id");
    }

    #[test]
    fn routes_that_anybody_invents_go_by_one_name() {
        let mut routes = Routes::default();
        assert_eq!(routes.of("https://h/notes"), "/notes");
        for n in 0..1_000_u32 {
            let word: String = n.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
            routes.of(&format!("https://h/{word}"));
        }
        assert_eq!(
            (routes.of("https://h/late"), routes.of("https://h/notes")),
            ("other".into(), "/notes".into())
        );
    }

    #[test]
    fn a_pattern_is_told_from_chance() {
        use FallbackReason::{Buffered, Watchdog};
        let pages = [
            seen("Chrome", "ap-south", 200),
            seen("Chrome", "eu-west", 900),
            seen("Firefox", "eu-west", 900),
        ];
        let fallbacks = [
            some(40, 1_000, Watchdog, "Chrome", "ap-south"),
            some(20, 500, Watchdog, "Chrome", "eu-west"),
            some(20, 500, Watchdog, "Firefox", "eu-west"),
            // As Chrome and Firefox are seen, so they fall back: no pattern.
            some(9, 700, Buffered, "Firefox", "eu-west"),
            some(10, 700, Buffered, "Chrome", "eu-west"),
        ];
        let found = patterns(&fallbacks, &pages);
        assert_eq!(found.len(), 1, "{found:?}");
        let pattern = &found[0];
        assert_eq!((pattern.reason, pattern.value.as_str(), pattern.count), (Watchdog, "ap-south", 40));
        assert_eq!((pattern.times.round(), pattern.since), (9.0, 1_000));
    }

    #[test]
    fn few_events_and_one_place_make_no_pattern() {
        let there = |count| [some(count, 0, FallbackReason::Watchdog, "Chrome", "ap-south")];
        assert_eq!(patterns(&there(4), &[seen("Chrome", "ap-south", 1), seen("Chrome", "eu", 1_000)]), []);
        assert_eq!(patterns(&there(90), &[seen("Chrome", "ap-south", 100)]), []);
    }

    #[test]
    fn the_analysis_counts_everything_once() {
        let fallbacks = [
            some(1, 5, FallbackReason::Watchdog, "Chrome", "a"),
            some(1, 12, FallbackReason::Watchdog, "Chrome", "b"),
            some(1, 19, FallbackReason::Refused, "Safari", "b"),
        ];
        let analysis = Analysis::of(&fallbacks, &[], &[(0, 1), (10, 2)], (0, 30, 10));
        assert_eq!(analysis.events, 3);
        assert_eq!(analysis.by_reason, [(FallbackReason::Watchdog, 2), (FallbackReason::Refused, 1)]);
        assert_eq!(analysis.by_region, [("b".to_owned(), 2), ("a".to_owned(), 1)]);
        assert_eq!(analysis.over_time, [(0, 1), (10, 2), (20, 0)]);
    }
}
