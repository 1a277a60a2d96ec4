//! Which folder of `src` and of core may use which: read from the paths in the code. A file directly in `src` counts as
//! a folder. Modules of tests may use what they like.

use std::collections::{BTreeMap, BTreeSet};

use super::Texts;

struct Tree {
    root: &'static str,
    /// What each folder may use. `None`: anything, as long as no cycle comes of it.
    allowed: Option<&'static [Row]>,
    /// Today's debts: arrows that make a cycle and are to be removed. None may be added.
    debts: &'static [(&'static str, &'static str)],
}

type Row = (&'static str, &'static [&'static str]);

const TREES: &[Tree] = &[
    Tree { root: "crates/core/src/", allowed: None, debts: &[] },
    Tree {
        root: "src/",
        allowed: Some(SRC),
        debts: &[("stream", "broker")], // the hub, which brokers deliver to, stands in stream
    },
];

/// From the top down: a folder uses only what stands below it.
const SRC: &[Row] = &[
    ("lib", &["broker", "demo", "http", "server", "measure", "store", "stream", "telemetry"]),
    (
        "server",
        &[
            "access",
            "alerting",
            "broker",
            "chance",
            "clock",
            "demo",
            "files",
            "gauge",
            "http",
            "jobs",
            "measure",
            "node",
            "store",
            "stream",
            "telemetry",
            "geo",
        ],
    ),
    (
        "http",
        &[
            "access",
            "alerting",
            "backend",
            "broker",
            "clock",
            "gauge",
            "measure",
            "node",
            "store",
            "stream",
            "telemetry",
        ],
    ),
    ("backend", &["alerting", "clock", "gauge", "node", "store"]),
    ("jobs", &["alerting", "broker", "clock", "gauge", "node", "stop", "store", "telemetry"]),
    (
        "node",
        &["access", "alerting", "broker", "clock", "gauge", "measure", "store", "stream", "telemetry", "geo"],
    ),
    ("broker", &["clock", "measure", "store", "stream", "telemetry"]),
    ("stream", &["clock", "measure", "stop", "store"]),
    ("gauge", &["broker", "clock", "measure", "stop", "store", "stream", "geo"]),
    ("keys", &["access", "store"]),
    ("alerts", &["alerting", "clock"]),
    ("alerting", &["store"]),
    ("access", &["chance", "clock", "store"]),
    ("geo", &["demo"]),
    ("demo", &["alerting", "clock", "store"]),
    ("store", &["clock", "measure", "stop", "telemetry"]),
    ("telemetry", &["chance", "clock", "stop"]),
    ("measure", &[]),
    ("chance", &[]),
    ("config", &[]),
    ("files", &[]),
    ("stop", &[]),
    ("clock", &[]),
];

/// One sentence for each place.
pub fn violations(sources: &Texts) -> Vec<String> {
    TREES.iter().flat_map(|tree| tree.violations(sources)).collect()
}

impl Tree {
    fn violations(&self, sources: &Texts) -> Vec<String> {
        let files: Vec<(&str, &str, &str)> = sources
            .iter()
            .filter_map(|(name, text)| Some((name.as_str(), name.strip_prefix(self.root)?, text.as_str())))
            .filter(|(_, path, _)| *path != "main.rs") // another crate
            .collect();
        let folders: BTreeSet<&str> = files.iter().map(|(_, path, _)| folder(path)).collect();
        let mut found = Vec::new();
        let mut arrows: BTreeMap<(&str, &str), String> = BTreeMap::new();
        for (name, path, text) in &files {
            for (line, used) in uses(path, text) {
                // A name that is not a folder stands in `lib.rs` itself.
                let used = folders.get(used.as_str()).copied().unwrap_or("lib");
                let user = folder(path);
                if user == used || self.debts.contains(&(user, used)) {
                    continue;
                }
                if let Some(rows) = self.allowed
                    && !rows.iter().any(|(of, may)| *of == user && may.contains(&used))
                {
                    found.push(format!(
                        "{name}:{line}: {user} uses {used}: the table in xtask/src/nevers/folders.rs has no such arrow."
                    ));
                }
                arrows.entry((user, used)).or_insert_with(|| format!("{name}:{line}"));
            }
        }
        found.extend(cycle(&arrows).map(|cycle| format!("{}: folders use each other: {cycle}.", self.root)));
        found
    }
}

/// The folder of a path below the root.
fn folder(path: &str) -> &str {
    path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

/// The first names of all paths that begin at the root of the crate, with their lines.
fn uses(path: &str, text: &str) -> Vec<(usize, String)> {
    let code = without_tests(text);
    // How often `super::` leads to the root.
    let depth = path.split('/').count() - usize::from(path.ends_with("/mod.rs"));
    let to_root = if path == "lib.rs" { String::new() } else { "super::".repeat(depth) };
    let mut found = Vec::new();
    for start in ["crate::", to_root.as_str()].iter().filter(|start| !start.is_empty()) {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':')) {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            found.extend(first_names(&code[at + start.len()..]).into_iter().map(|name| (line, name)));
        }
    }
    found
}

/// `a::b` has `a`; `{a::b, c::{d, e}}` has `a` and `c`.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(inside) = path.strip_prefix('{') else { return vec![name(path)] };
    let mut names = vec![name(inside)];
    let mut depth = 1;
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(name(&inside[at + 1..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names.retain(|name| !name.is_empty()); // a comma at the end
    names
}

/// The code with its lines, without comments and without modules of tests: those end with the next brace at the margin.
fn without_tests(text: &str) -> String {
    let mut code = String::new();
    let (mut is_test, mut was_cfg) = (false, false);
    for line in text.lines() {
        is_test |= was_cfg && line.starts_with("mod ") && line.ends_with('{');
        if !is_test {
            code.push_str(line.split("//").next().unwrap_or_default());
        }
        code.push('\n');
        is_test &= line != "}";
        was_cfg = line == "#[cfg(test)]";
    }
    code
}

/// The first cycle: its folders, and where each uses the next.
fn cycle(arrows: &BTreeMap<(&str, &str), String>) -> Option<String> {
    // What has no way out, or leads only there, is in no cycle. What stays has one.
    let mut left: Vec<_> = arrows.keys().copied().collect();
    loop {
        let users: BTreeSet<&str> = left.iter().map(|(user, _)| *user).collect();
        let count = left.len();
        left.retain(|(_, used)| users.contains(used));
        if left.len() == count {
            break;
        }
    }
    let mut way = vec![left.first()?.0];
    loop {
        let last = way[way.len() - 1];
        let (_, next) = left.iter().find(|(user, _)| *user == last)?;
        if let Some(start) = way.iter().position(|folder| folder == next) {
            way.push(next);
            let steps = way[start..].windows(2).map(|pair| {
                let place = arrows.get(&(pair[0], pair[1])).map_or("", String::as_str);
                format!("{} -> {} ({place})", pair[0], pair[1])
            });
            return Some(steps.collect::<Vec<_>>().join(", "));
        }
        way.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let others = ["clock", "store/mod", "http/mod", "access/mod"];
        let others = others.map(|name| (format!("src/{name}.rs"), String::new()));
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        violations(&files.chain(others).collect())
    }

    #[test]
    fn a_new_arrow_between_folders_of_src_fails() {
        for text in [
            "use crate::http::router;\n",
            "use crate::{\n    clock,\n    http::{self, router},\n};\n",
            "fn f() {\n    crate::http::f();\n}\n",
            "use super::super::http;\n",
            "#[cfg(test)]\nmod tests {\n}\nuse crate::http;\n",
        ] {
            let found = found(&[("src/store/writer.rs", text)]);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].starts_with("src/store/writer.rs:"), "{found:?}");
            assert!(found[0].contains("store uses http"), "{found:?}");
        }
        assert_eq!(found(&[("src/store.rs", "use super::http;\n")]).len(), 1);
        assert_eq!(found(&[("src/fresh.rs", "use crate::clock;\n")]).len(), 1);
        assert_eq!(found(&[("src/store/a.rs", "use crate::run;\n")]).len(), 1);
    }

    #[test]
    fn arrows_of_the_table_tests_and_comments_pass() {
        for text in [
            "use crate::{clock, store::{http, access}};\n",
            "use super::http;\n", // store's own
            "// crate::http is above\n",
            "#[cfg(test)]\nmod tests {\n    use crate::http;\n}\n",
        ] {
            assert_eq!(found(&[("src/store/writer.rs", text)]), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_cycle_between_folders_of_core_fails() {
        let core = |third: &'static str| {
            found(&[
                ("crates/core/src/text/mod.rs", third),
                ("crates/core/src/access/a.rs", "use crate::session::Id;\n"),
                ("crates/core/src/session/a.rs", "use crate::{text::clean};\n"),
            ])
        };
        assert_eq!(core(""), Vec::<String>::new());
        let found = core("use crate::access::Key;\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("text -> access (crates/core/src/text/mod.rs:1)"), "{found:?}");
    }

    #[test]
    fn the_table_has_no_cycle_and_no_debt() {
        let arrows: BTreeMap<_, _> =
            SRC.iter().flat_map(|(of, may)| may.iter().map(|used| ((*of, *used), String::new()))).collect();
        assert_eq!(cycle(&arrows), None);
        for debt in TREES.iter().flat_map(|tree| tree.debts) {
            assert!(!arrows.contains_key(debt), "{debt:?}");
        }
    }
}
