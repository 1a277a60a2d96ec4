//! Which package may use which: read from the manifests.

use toml::{Table, Value};

use super::Texts;
use crate::steps::Outcome;

/// Of our own packages, whom each may use. One that is not listed may use none.
const ARROWS: &[(&str, &[&str])] = &[
    ("streamgauge-app", &["streamgauge-core"]),
    ("streamgauge-hydrate", &["streamgauge-app"]),
    (
        "streamgauge",
        &["streamgauge-core", "streamgauge-app", "private-postgres", "kernel", "streamgauge-loadtest"],
    ),
    ("streamgauge-loadtest", &["streamgauge-core", "streamgauge-app"]),
    ("xtask", &["private-postgres"]),
];

/// Crates of others that a package must not use itself.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "streamgauge-core",
        &["tokio", "axum", "leptos", "sqlx", "redis", "rand", "getrandom", "reqwest", "hyper", "tracing"],
    ),
    ("streamgauge-app", &["tokio", "sqlx", "redis", "axum", "reqwest"]),
    ("streamgauge-hydrate", &["tokio", "sqlx", "redis", "axum"]),
];

pub fn violations(manifests: &Texts) -> Outcome<Vec<String>> {
    let tables = manifests
        .iter()
        .map(|(path, text)| Ok((path.as_str(), text.parse::<Table>()?)))
        .collect::<Outcome<Vec<_>>>()?;
    let ours: Vec<&str> = tables.iter().filter_map(|(_, table)| package(table)).collect();
    let mut found = Vec::new();
    for (path, table) in &tables {
        let Some(user) = package(table) else { continue };
        let allowed = listed(ARROWS, user);
        let forbidden = listed(FORBIDDEN, user);
        for used in dependencies(table) {
            if ours.contains(&used) && !allowed.contains(&used) {
                found.push(format!(
                    "{path}: {user} uses {used}: the arrows between our packages point the other way."
                ));
            }
            if forbidden.contains(&used) {
                found.push(format!("{path}: {user} uses {used}: IO and chance are the server's."));
            }
        }
    }
    Ok(found)
}

fn package(table: &Table) -> Option<&str> {
    table.get("package")?.get("name")?.as_str()
}

fn listed(list: &[(&str, &'static [&'static str])], name: &str) -> &'static [&'static str] {
    list.iter().find(|(of, _)| *of == name).map_or(&[], |(_, names)| names)
}

/// Those of all targets; those of tests may be what they like.
fn dependencies(table: &Table) -> Vec<&str> {
    let of_targets = table.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = of_targets.filter_map(Value::as_table).chain([table]);
    tables
        .filter_map(|table| table.get("dependencies")?.as_table())
        .flat_map(|table| table.keys().map(String::as_str))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(app: &str) -> Vec<String> {
        let manifest = |name: &str, rest: &str| {
            (format!("{name}/Cargo.toml"), format!("[package]\nname = \"{name}\"\n{rest}"))
        };
        let texts = vec![
            manifest("streamgauge-core", ""),
            manifest("streamgauge", "[dependencies]\nstreamgauge-app = { workspace = true }\n"),
            manifest("streamgauge-app", app),
        ];
        violations(&texts).unwrap()
    }

    #[test]
    fn an_arrow_the_wrong_way_is_found() {
        assert!(
            found("[dependencies]\nstreamgauge-core = \"1\"\n[dev-dependencies]\ntokio = \"1\"\n").is_empty()
        );
        assert_eq!(found("[dependencies.streamgauge]\nworkspace = true\n").len(), 1);
        assert_eq!(found("[dependencies]\nsqlx = \"1\"\n").len(), 1);
        assert_eq!(found("[target.'cfg(unix)'.dependencies]\ntokio.workspace = true\n").len(), 1);
    }
}
