//! SIGTERM: followers are told, everything that was counted is stored, and nothing stays behind.

use crate::support::{Client, Launch, PrivateFolder, fresh};
use rustix::process::{Pid, test_kill_process};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_told_to_stop_leaves_nothing_open() {
    let folder = PrivateFolder::new();
    let mut server = Launch::private(&folder).start();
    let client = server.client();
    let session = fresh("stopped");
    client.publish_all(&session, 1..=17).await;
    let mut followers = vec![client.follow(&session).await, client.follow(&session).await];
    let mut dashboard = crate::support::Follower::open(client.get("/api/admin/sse-metrics/stream")).await;
    let poller = Client::new(server.port);
    assert_eq!(poller.poll(&session).await.status(), 200, "an idle connection must not hold it up");

    let since = Instant::now();
    server.terminate();
    for follower in &mut followers {
        assert_eq!(follower.numbers(1).await, [17]);
        let farewell = follower.news().await.expect("a farewell");
        assert_eq!(farewell.name, "reconnect");
        let within = farewell.data["in_ms"].as_u64().expect("ms");
        assert!((1..=20_000).contains(&within), "{within}");
        assert_eq!(follower.retry, Some(within), "EventSource heeds it by itself");
        assert_eq!(follower.news().await, None);
    }
    while dashboard.next().await.is_some() {}
    let status = server.exit_within(Duration::from_secs(10)).expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    assert!(!folder.postgres().is_running());
    let pid = Pid::from_raw(server.pid().cast_signed()).expect("a pid");
    assert!(test_kill_process(pid).is_err());

    // At once again, in the same folder.
    let again = Launch::private(&folder).start();
    assert_eq!(folder.counted("published").await, 17, "the bucket that was open is stored");
    assert_eq!(folder.counted("closed_by_drain").await, 2);
    let mut follower = again.client().follow(&session).await;
    assert_eq!(follower.numbers(1).await, [17]);
    again.client().publish(&session, 18).await;
    drop(follower);
    again.stop();
    folder.postgres().start().expect("PostgreSQL starts");
    assert_eq!(folder.counted("published").await, 18, "two runs in one bucket are two rows");
}
