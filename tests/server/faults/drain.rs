use crate::support::{Bare, Database, Launch, fresh, streams};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const STREAMS: usize = 5_000;
const WINDOW: Duration = Duration::from_secs(5);

/// When the stream was sent away, and within what time it may come back, ms.
async fn farewell(mut one: Bare, since: Instant) -> (Duration, u32) {
    let told = one.rest().await;
    let left = since.elapsed();
    let back = told.split_once("event: reconnect\ndata: {\"in_ms\":").expect("a farewell").1;
    let back = back.split_once('}').and_then(|(ms, _)| ms.parse().ok()).expect("milliseconds");
    assert!(told.ends_with("\r\n0\r\n\r\n"), "a whole answer: {told}");
    (left, back)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_streams_are_sent_away_over_the_window() {
    let database = Database::new().await;
    let mut server = Launch::on(&database).flag("drain-window-ms", WINDOW.as_millis()).start();
    let (client, session) = (server.client(), fresh("drained"));
    client.publish(&session, 1).await;
    let crowd = Bare::crowd(server.port, &session, STREAMS).await;
    streams(&client, STREAMS, 5).await;

    let since = Instant::now();
    server.terminate();
    let leaving: JoinSet<_> = crowd.into_iter().map(|one| farewell(one, since)).collect();
    let mut left = leaving.join_all().await;
    left.sort_unstable();
    assert_eq!(left.len(), STREAMS);
    // Nine tenths of the window are for goodbyes. Each third of that has about its share of them.
    let parts: Vec<usize> =
        (1..=3).map(|third| left.partition_point(|(at, _)| *at < WINDOW * 3 / 10 * third)).collect();
    let shares = [parts[0], parts[1] - parts[0], STREAMS - parts[1]];
    assert!(shares.iter().all(|&share| share > STREAMS / 5), "{shares:?}");
    assert!(left[STREAMS - 1].0 < WINDOW + Duration::from_secs(1), "{:?}", left[STREAMS - 1]);
    assert!(left.iter().all(|(_, back)| (100..1_000).contains(back)));

    let status = server.exit_within(Duration::from_secs(5)).expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert_eq!(database.counted("closed_by_drain").await, STREAMS as i64);
    assert_eq!(database.counted("delivered").await, STREAMS as i64);
}
