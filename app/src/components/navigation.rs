//! The navigation: the groups of `PAGES`, as text. The browser builds it anew with each page of the app, and text takes a
//! tenth of the code that elements take.
//!
//! It stands once in the document. At the side all of it is open. On a phone the group Watch is the bar at the bottom, and
//! the rest is the popover that its last button opens, which needs no script.

use crate::pages::{Entry, Group, NAVIGATION};

/// What is where the reader is.
pub struct Here {
    /// The path of the entry that is marked.
    entry: Option<String>,
    /// The page is that entry, and not a part of it.
    is_whole: bool,
}

impl Here {
    /// The browser's build shows only pages that are entries themselves.
    pub fn at(address: &str) -> Here {
        #[cfg(feature = "ssr")]
        let entry = crate::pages::entry_at(address).map(str::to_owned);
        #[cfg(not(feature = "ssr"))]
        let entry = Some(address.to_owned());
        Here { is_whole: entry.as_deref() == Some(address), entry }
    }

    fn mark(&self, entry: &Entry) -> &'static str {
        match self.entry.as_deref() == Some(entry.path) {
            true if self.is_whole => " aria-current=\"page\"",
            true => " aria-current=\"true\"",
            false => "",
        }
    }
}

/// The bar on a phone, and what leads from it to the rest.
///
/// `badge`: behind the link to the alerts.
pub fn bar(here: &Here, badge: &str) -> String {
    let rest = NAVIGATION.iter().find(|entry| entry.group != Group::Watch && !here.mark(entry).is_empty());
    // The page is behind the button, which says so.
    let (mark, inside) = rest.map_or(("", ""), |entry| (" aria-current=\"true\"", entry.title));
    let (open, close) = if inside.is_empty() { ("", "") } else { (" (", ")") };
    let more = [
        "<button type=\"button\" class=\"more\" popovertarget=\"more\"",
        mark,
        ">More<span class=\"sr\">",
        open,
        inside,
        close,
        "</span></button>",
    ];
    group(Group::Watch, here, badge) + &more.concat()
}

/// Everything else, a group after the other.
pub fn rest(here: &Here) -> String {
    [Group::Prove, Group::Tune, Group::Foot].map(|one| group(one, here, "")).concat()
}

/// Its title and its links; nothing if it has none.
fn group(group: Group, here: &Here, badge: &str) -> String {
    let (id, title) = match group {
        Group::Watch => ("watch", "Watch"),
        Group::Prove => ("prove", "Prove"),
        Group::Tune => ("tune", "Tune"),
        Group::Foot => ("foot", "Settings and help"),
    };
    let link = |entry: &Entry| {
        let external = if entry.is_external { " rel=\"external\"" } else { "" };
        let badge = if entry.path == "/alerts" { badge } else { "" };
        let mark = here.mark(entry);
        ["<li><a href=\"", entry.path, "\"", external, mark, ">", entry.title, badge, "</a></li>"].concat()
    };
    let links: String = NAVIGATION.iter().filter(|entry| entry.group == group).map(link).collect();
    match links.is_empty() {
        true => links,
        false => [
            "<p id=\"pages-",
            id,
            "\">",
            title,
            "</p><ul aria-labelledby=\"pages-",
            id,
            "\">",
            &links,
            "</ul>",
        ]
        .concat(),
    }
}
