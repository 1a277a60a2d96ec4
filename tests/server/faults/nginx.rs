use crate::support::{Client, Database, Follower, Launch, Nginx, Server, fresh, streams};
use flate2::write::GzDecoder;
use reqwest::header::HeaderMap;
use std::io::Write;

/// What nginx does by itself, plus the version of HTTP that it speaks to the server.
const BUFFERS: &str = "proxy_buffering on; proxy_buffers 8 64k; proxy_buffer_size 64k;";
const COMPRESSES: &str = "gzip on; gzip_types *; gzip_min_length 0; gzip_proxied any; gzip_comp_level 9;";

async fn behind(directives: &str) -> (Server, Nginx, Client, Client, Database) {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let nginx = Nginx::to(server.port, directives);
    let (client, behind) = (server.client(), Client::new(nginx.port));
    (server, nginx, client, behind, database)
}

/// The stream as a browser asks for it through a proxy.
async fn ask(client: &Client, session: &str) -> reqwest::Response {
    let request = client.stream(session).header("accept-encoding", "gzip");
    request.send().await.expect("an answer")
}

fn guaranteed(headers: &HeaderMap) {
    assert_eq!(headers["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(headers["cache-control"], "no-cache, no-transform");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_buffers_lets_a_stream_through() {
    for version in ["1.0", "1.1"] {
        let directives = format!("{BUFFERS} proxy_http_version {version};");
        let (server, _nginx, client, behind, database) = behind(&directives).await;
        let session = fresh("buffered");
        client.publish(&session, 0).await;
        let answer = ask(&behind, &session).await;
        guaranteed(answer.headers());
        let mut follower = Follower::of(answer);
        assert_eq!(follower.numbers(1).await, [0]);
        // Each comes before the next is published.
        for n in 1..=20 {
            client.publish(&session, n).await;
            assert_eq!(follower.numbers(1).await, [n]);
        }
        client.complete(&session).await;
        assert_eq!(follower.news().await.expect("the end").name, "end");
        assert_eq!(follower.news().await, None);
        streams(&client, 0, 5).await;
        // A follower that leaves is noticed through the proxy too.
        let other = fresh("buffered");
        client.publish(&other, 1).await;
        let follower = behind.follow(&other).await;
        streams(&client, 1, 5).await;
        drop(follower);
        streams(&client, 0, 5).await;
        server.stop();
        assert_eq!(database.counted("delivered").await, 23, "over HTTP/{version}");
    }
}

/// nginx compresses a stream where it is told to compress everything; whatever we say does not keep it from that. It
/// flushes after each event all the same, since it does not buffer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_compresses_everything_does_so_event_by_event() {
    let (server, _nginx, client, behind, _database) = behind(&format!("{BUFFERS} {COMPRESSES}")).await;
    let session = fresh("compressed");
    client.publish(&session, 0).await;
    let mut answer = ask(&behind, &session).await;
    guaranteed(answer.headers());
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let mut text = GzDecoder::new(Vec::new());
    for n in 0..=20 {
        if n > 0 {
            client.publish(&session, n).await;
        }
        let expected = format!("\"data\":{n},");
        while !String::from_utf8_lossy(text.get_ref()).contains(&expected) {
            let chunk = tokio::time::timeout(std::time::Duration::from_secs(5), answer.chunk()).await;
            let chunk = chunk.unwrap_or_else(|_| panic!("event {n} is held back")).expect("an open stream");
            text.write_all(&chunk.expect("an open stream")).expect("gzip");
            text.flush().expect("gzip");
        }
    }
    server.stop();
}
