//! Whose turn it is where processors are short.

use crate::support::{Launch, PrivateFolder};
use std::{collections::HashSet, fs, time::Duration};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_serves_connections_has_a_shorter_slice_than_all_that_is_done_beside() {
    let usual = time_slice::of(0).expect("a slice");
    if usual.is_zero() {
        // Linux before 6.12 knows of no slices.
        return;
    }
    let folder = PrivateFolder::new();
    let server = Launch::private(&folder).start();
    let mut seen = HashSet::new();
    for thread in fs::read_dir(format!("/proc/{}/task", server.pid())).expect("threads") {
        let thread = thread.expect("a thread");
        // One that computed a page may have ended meanwhile.
        let Ok(name) = fs::read_to_string(thread.path().join("comm")) else { continue };
        let number = thread.file_name().to_string_lossy().parse().expect("a number");
        let Ok(slice) = time_slice::of(number) else { continue };
        let kind = name.trim().trim_end_matches(|c: char| c.is_ascii_digit());
        let serves = ["lane-", "reactor-"].contains(&kind);
        assert_eq!(slice, if serves { usual } else { Duration::from_millis(20) }, "{name}");
        seen.insert(kind.to_owned());
    }
    for kind in ["lane-", "reactor-", "pages"] {
        assert!(seen.contains(kind), "no {kind} among {seen:?}");
    }
    let file =
        fs::read_to_string(folder.data_dir().join("postgres/postmaster.pid")).expect("PostgreSQL runs");
    let postgres = file.lines().next().and_then(|line| line.parse().ok()).expect("its number");
    assert_eq!(time_slice::of(postgres).expect("a slice"), Duration::from_millis(20));
}
