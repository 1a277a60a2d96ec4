use crate::support::{Bare, Client, Database, Launch, Memory, Proxy, fresh, streams};
use std::time::{Duration, Instant};

/// A client whose machine is gone acknowledges nothing. The next ping is sent again and again; after 20 s of that the
/// stream is over, whichever way it is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_vanished_is_noticed_by_its_pings() {
    let database = Database::new().await;
    let server = Launch::on(&database).flag("heartbeat-ms", 1_000).start();
    let (client, session) = (server.client(), fresh("vanished"));
    client.publish(&session, 1).await;
    let memory = Memory::of(&server);
    let mut there = Bare::follow(server.port, &session).await;
    let mut gone = Vec::new();
    for version in ["1.1", "1.0"] {
        for _ in 0..10 {
            let mut one = Bare::connect(server.port).await;
            one.ask(&session, version).await;
            one.until("\nevent: status\n").await;
            one.vanish();
            gone.push(one);
        }
    }
    let since = Instant::now();
    streams(&client, 21, 5).await;
    streams(&client, 1, 40).await;
    assert!(since.elapsed() > Duration::from_secs(15), "not at the first segment that is lost");
    client.publish(&session, 2).await;
    there.until("\"data\":2").await;
    drop((there, gone));
    streams(&client, 0, 5).await;
    memory.is_back(&server, 6_000_000).await;
    server.stop();
    assert_eq!(database.counted("dropped_slow").await + database.counted("dropped_gone").await, 0);
}

/// A proxy that takes what comes and passes nothing on looks alive to TCP. While nothing happens its stream lasts
/// until it is idle; when something does, what is not taken ends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_proxy_holds_a_place_until_the_stream_is_idle() {
    let database = Database::new().await;
    let launch = Launch::on(&database).flag("heartbeat-ms", 200).flag("idle-close-ms", 2_000);
    let server = launch.start();
    let (client, session) = (server.client(), fresh("silent"));
    client.publish(&session, 1).await;
    let proxy = Proxy::to(server.port);
    let mut behind = Client::new(proxy.port).follow(&session).await;
    assert_eq!(behind.numbers(1).await, [1]);
    proxy.falls_silent();
    streams(&client, 1, 1).await;
    streams(&client, 0, 5).await;
    drop(behind);
    server.stop();
    assert_eq!(database.counted("closed_idle").await, 1);
}
