//! Words that a source file must not hold, by where it stands.

struct Never {
    words: &'static [&'static str],
    /// Where it holds: the beginnings of paths.
    within: &'static [&'static str],
    /// Where it does not.
    except: &'static [&'static str],
    reason: &'static str,
}

const EVERYWHERE: &[&str] = &["src/", "app/", "crates/"];

const NEVERS: &[Never] = &[
    Never {
        words: &["tokio::", "axum::", "leptos::", "sqlx::", "redis::"],
        within: &["crates/core/"],
        except: &[],
        reason: "core decides without IO: it must run in a browser, in a test and in a replay alike",
    },
    Never {
        words: &[
            "SystemTime::now",
            "Instant::now",
            "Utc::now",
            "Local::now",
            "rand::",
            "thread_rng",
            "getrandom",
        ],
        within: &["crates/core/src/"],
        except: &[],
        reason: "core gets the time and every seed as an argument, so that the same input gives the same answer",
    },
    Never {
        words: &["sqlx::", "redis::", "tokio::"],
        within: &["app/", "crates/hydrate/"],
        except: &[],
        reason: "pages reach the server through the server functions in app/src/api only",
    },
    Never {
        words: &["sqlx::query", "query!(", "query_as!(", "query_scalar!(", "QueryBuilder"],
        within: EVERYWHERE,
        except: &["src/store/"],
        reason: "SQL stands in src/store only, one file for each group of tables",
    },
    Never {
        words: &["sqlx"],
        within: &["src/"],
        except: &["src/store/"],
        reason: "the rest of the server asks by the methods of Store, which answers with its own StoreError: so each call is \
                 guarded, timed and traced, and no code depends on the driver",
    },
    Never {
        words: &["redis::"],
        within: &["src/"],
        except: &["src/broker/"],
        reason: "Redis stands behind the Broker, so that one node without it behaves the same",
    },
    Never {
        words: &[".route(", ".nest(", ".route_service("],
        within: EVERYWHERE,
        except: &["src/http/router.rs"],
        reason: "src/http/router.rs is the one list of routes",
    },
    Never {
        words: &["unbounded_channel", "unbounded(", "mpsc::channel::<"],
        within: EVERYWHERE,
        except: &[],
        reason: "a slow reader must never fill the memory: every channel has a bound",
    },
];

/// One sentence for each place.
pub fn violations(name: &str, text: &str) -> Vec<String> {
    let starts = |list: &[&str]| list.iter().any(|start| name.starts_with(start));
    let mut found = Vec::new();
    for never in NEVERS.iter().filter(|never| starts(never.within) && !starts(never.except)) {
        for (number, line) in text.lines().enumerate() {
            // What a comment says about it is no use of it.
            let code = line.split("//").next().unwrap_or_default();
            for word in never.words.iter().filter(|word| holds(code, word)) {
                found.push(format!("{name}:{}: `{word}`: {}.", number + 1, never.reason));
            }
        }
    }
    found
}

/// As a word of its own: `rand::` is not in `operand::`, nor the crate `redis::` in `broker::redis::`.
fn holds(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        word.starts_with('.') || !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_never_can_fail_and_can_hold() {
        for never in NEVERS {
            for word in never.words {
                let code =
                    format!("let x = a;\n    x{}{word}y\n", if word.starts_with('.') { "" } else { " = " });
                for place in never.within {
                    let found = violations(&format!("{place}somewhere.rs"), &code);
                    assert!(found.iter().any(|v| v.contains(never.reason)), "{word} in {place}");
                    assert!(found[0].contains("somewhere.rs:2: "), "{}", found[0]);
                }
                for place in never.except {
                    let found = violations(place, &code);
                    assert!(!found.iter().any(|v| v.contains(never.reason)), "{word} in {place}");
                }
            }
        }
    }

    #[test]
    fn sqlx_outside_the_store_fails_whatever_stands_behind_it() {
        for code in ["use sqlx::PgPool;", "use sqlx;", "fn f() -> sqlx::Result<()>;"] {
            assert_eq!(violations("src/http/pages.rs", code).len(), 1, "{code}");
            assert!(violations("src/store/pages.rs", code).is_empty(), "{code}");
        }
        assert!(violations("src/http/pages.rs", "// sqlx stays in the store").is_empty());
    }

    #[test]
    fn only_the_word_itself_counts() {
        assert!(
            violations("crates/core/src/a.rs", "// Utc::now() is the caller's\noperand::f();").is_empty()
        );
        assert!(violations("src/lib.rs", "let b = crate::broker::redis::Broker::new();").is_empty());
        assert!(violations("tests/server/main.rs", "sqlx::query(x)").is_empty());
    }
}
