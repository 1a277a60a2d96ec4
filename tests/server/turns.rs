//! Whose turn it is where processors are short. Linux before 6.12 knows of no slices: there is nothing to see there.

use crate::support::{Database, Launch, PrivateFolder, Redis, Server, eventually};
use std::{collections::HashSet, fs, time::Duration};

const LONG: Duration = Duration::from_millis(20);

fn slice(thread: u32) -> Option<Duration> {
    kernel::time_slice::of(thread.try_into().expect("a number of a thread")).ok()
}

/// The usual slice; `None`: the kernel has none.
fn usual() -> Option<Duration> {
    slice(0).filter(|slice| !slice.is_zero())
}

/// Each thread by its kind; the first one is `main`.
fn threads(server: &Server) -> Vec<(String, Duration)> {
    let threads = fs::read_dir(format!("/proc/{}/task", server.pid())).expect("threads");
    let looked_at = threads.filter_map(|thread| {
        // One that computed a page may have ended meanwhile.
        let thread = thread.ok()?;
        let number = thread.file_name().to_string_lossy().parse().expect("a number");
        let name = fs::read_to_string(thread.path().join("comm")).ok()?;
        let kind = name.trim().trim_end_matches(|c: char| c.is_ascii_digit());
        Some((if number == server.pid() { "main" } else { kind }.to_owned(), slice(number)?))
    });
    looked_at.collect()
}

/// Those of the named kinds serve, and all others do not.
async fn only_these_serve(server: &Server, kinds: &[&str], usual: Duration) {
    // A thread says it when it first runs.
    let seen = eventually("each thread has its slice", 5, async || {
        let threads = threads(server);
        let right = |(kind, slice): &(String, Duration)| {
            *slice == if kinds.contains(&kind.as_str()) { usual } else { LONG }
        };
        threads.iter().all(right).then(|| threads.into_iter().map(|(kind, _)| kind).collect::<HashSet<_>>())
    })
    .await;
    for kind in ["worker-", "reactor-", "pages", "main"] {
        assert!(seen.contains(kind), "no {kind} in {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_serves_connections_has_a_shorter_slice_than_all_that_is_done_beside() {
    let Some(usual) = usual() else { return };
    let folder = PrivateFolder::new();
    let server = Launch::private(&folder).start();
    only_these_serve(&server, &["worker-", "reactor-"], usual).await;
    let file =
        fs::read_to_string(folder.data_dir().join("postgres/postmaster.pid")).expect("PostgreSQL runs");
    let postgres = file.lines().next().and_then(|line| line.parse().ok()).expect("its number");
    assert_eq!(slice(postgres), Some(LONG));
}

/// Otherwise thousands of page requests would make publishers wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_that_make_pages_have_a_lower_weight_than_threads_that_serve() {
    let folder = PrivateFolder::new();
    let server = Launch::private(&folder).start();
    for entry in fs::read_dir(format!("/proc/{}/task", server.pid())).expect("threads") {
        let thread = entry.expect("a thread").path();
        // A thread may have ended meanwhile.
        let Ok(name) = fs::read_to_string(thread.join("comm")) else { continue };
        let number = thread.file_name().and_then(|name| name.to_str()?.parse().ok()).expect("a number");
        let Ok(nice) = kernel::time_slice::nice_of(number) else { continue };
        let expected = if name.trim() == "pages" { 5 } else { 0 };
        assert_eq!(nice, expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_passes_on_what_redis_brings_serves_too() {
    let Some(usual) = usual() else { return };
    let (database, redis) = (Database::new().await, Redis::start());
    let server = Launch::on(&database).redis(&redis).start();
    only_these_serve(&server, &["worker-", "reactor-", "main"], usual).await;
}
