//! Whatever is sent gets a good answer, and the next request is served.

use crate::support::{Bare, Client, Database, Launch, Server, Shared, fresh, streams};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

static SERVER: Shared<(Server, Database)> = Shared::new();

async fn server() -> Arc<(Server, Database)> {
    let database = Database::new().await;
    SERVER.get(|| (Launch::on(&database).start(), database))
}

/// Sends it, expects a problem document with this status, and a good answer to the next request.
async fn check(client: &Client, request: RequestBuilder, expected: StatusCode) -> Value {
    let (_, problem) = answered(client, request, expected).await;
    problem
}

async fn answered(client: &Client, request: RequestBuilder, expected: StatusCode) -> (Response, Value) {
    let mut answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), expected);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let text = answer.chunk().await.expect("a body").expect("a body");
    let problem: Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(problem["status"], json!(expected.as_u16()));
    for field in ["type", "title", "detail"] {
        assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field} of {problem}");
    }
    healthy(client).await;
    (answer, problem)
}

async fn healthy(client: &Client) {
    assert_eq!(client.get("/healthz").send().await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_body_that_is_wrong_earns_a_problem_document() {
    let server = server().await;
    let client = &server.0.client();
    let session = fresh("bad");
    let path = format!("/api/v1/sessions/{session}/status");
    let json_body =
        |text: &'static str| client.post(&path).header("content-type", "application/json").body(text);

    for malformed in ["", "{", "{\"stage\":\"a\"", "\u{0}", "{\"stage\":\"a\",\"progress\":1}x"] {
        check(client, json_body(malformed), StatusCode::BAD_REQUEST).await;
    }
    for foreign in
        ["[]", "7", "{\"stage\":7,\"progress\":1}", "{\"stage\":\"a\",\"progress\":1,\"colour\":1}"]
    {
        check(client, json_body(foreign), StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let plain = client.post(&path).body("{\"stage\":\"a\",\"progress\":1}");
    check(client, plain, StatusCode::UNSUPPORTED_MEDIA_TYPE).await;
    let form = client.post(&path).header("content-type", "text/plain").body("stage=a");
    check(client, form, StatusCode::UNSUPPORTED_MEDIA_TYPE).await;

    let field = async |body: Value| {
        check(client, client.post(&path).json(&body), StatusCode::UNPROCESSABLE_ENTITY).await["field"].clone()
    };
    assert_eq!(field(json!({ "stage": "a", "progress": 900 })).await, "progress");
    assert_eq!(field(json!({ "stage": "a", "progress": -1 })).await, "progress");
    assert_eq!(field(json!({ "stage": "a" })).await, "progress");
    assert_eq!(field(json!({ "stage": "a\nb", "progress": 1 })).await, "stage");
    assert_eq!(field(json!({ "stage": "a", "progress": 1, "message": "x".repeat(501) })).await, "message");
    assert_eq!(field(json!({ "stage": "a", "progress": 1, "data": "x".repeat(9_000) })).await, "data");
    // One event that PostgreSQL refuses would keep all sessions from being stored.
    assert_eq!(field(json!({ "stage": "a", "progress": 1, "data": "a\u{0}b" })).await, "data");
    assert_eq!(field(json!({ "stage": "a", "progress": 1, "state": "abandoned" })).await, "state");
    assert_eq!(client.poll(&session).await.status(), StatusCode::NOT_FOUND, "none of these made the session");

    client.publish(&session, 1).await;
    let outcome =
        client.post(&format!("/api/v1/sessions/{session}/complete")).json(&json!({ "outcome": "lost" }));
    assert_eq!(check(client, outcome, StatusCode::UNPROCESSABLE_ENTITY).await["field"], "outcome");
    let kind = client.post("/api/v1/sessions").json(&json!({ "kind": "" }));
    assert_eq!(check(client, kind, StatusCode::UNPROCESSABLE_ENTITY).await["field"], "kind");
    let key = client.event(&session, 2).header("idempotency-key", "k".repeat(129));
    check(client, key, StatusCode::BAD_REQUEST).await;
}

/// A plain address is answered without the router, an escaped one by it.
#[tokio::test]
async fn an_escaped_address_is_answered_as_the_plain_one() {
    let server = server().await;
    let client = &server.0.client();
    let session = fresh("escaped");
    let (plain, escaped) = (session.clone(), session.replacen('e', "%65", 1));
    assert_ne!(plain, escaped);
    let answer = async |name: &str, ask: &dyn Fn(&str) -> RequestBuilder| {
        let answer = ask(&format!("/api/v1/sessions/{name}/status")).send().await.expect("an answer");
        let mut headers = answer.headers().clone();
        headers.remove("date");
        (answer.status(), headers, answer.json::<Value>().await.expect("JSON"))
    };
    let good = json!({ "stage": "a", "progress": 1 });
    let (status, headers, first) = answer(&plain, &|path| client.post(path).json(&good)).await;
    let second = answer(&escaped, &|path| client.post(path).json(&good)).await;
    let next = format!("{}2", first["id"].as_str().expect("an id").trim_end_matches('1'));
    assert_eq!((status, first["subscribers"].clone()), (StatusCode::ACCEPTED, json!(0)));
    assert_eq!(second, (status, headers, json!({ "id": next, "subscribers": 0 })));

    let asks: [&dyn Fn(&str) -> RequestBuilder; 6] = [
        &|path| client.post(path).json(&json!({ "stage": "" })),
        &|path| client.post(path).json(&good).header("idempotency-key", ""),
        &|path| client.post(path).body("{}"),
        &|path| client.post(path).header("content-type", "application/json").body("{"),
        &|path| client.post(path).header("content-type", "application/json").body(vec![b' '; 70_000]),
        &|path| client.patch(path).json(&good),
    ];
    for ask in asks {
        let plainly = answer(&plain, ask).await;
        assert!(plainly.0.is_client_error(), "{plainly:?}");
        assert_eq!(plainly, answer(&escaped, ask).await);
    }
}

#[tokio::test]
async fn ten_megabytes_are_refused() {
    let server = server().await;
    let client = &server.0.client();
    let path = format!("/api/v1/sessions/{}/status", fresh("large"));
    let large = client.post(&path).header("content-type", "application/json").body(vec![b' '; 10_000_000]);
    // Of so large a body the server does not take the rest: the refusal may come while it is still being sent.
    match large.send().await {
        Ok(answer) => assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE),
        Err(error) => assert!(error.is_request() || error.is_body(), "{error}"),
    }
    healthy(client).await;
    let over_the_limit =
        client.post(&path).header("content-type", "application/json").body(vec![b' '; 70_000]);
    check(client, over_the_limit, StatusCode::PAYLOAD_TOO_LARGE).await;
}

#[tokio::test]
async fn an_address_that_is_wrong_earns_a_problem_document() {
    let server = server().await;
    let client = &server.0.client();
    for bad in ["a%20b", "%00", "a%0Aid:%201", &"x".repeat(129), "a%2Fb", "%ff", "\u{e9}"] {
        for rest in ["status", "status/stream"] {
            let request = client.get(&format!("/api/v1/sessions/{bad}/{rest}"));
            let problem = check(client, request, StatusCode::BAD_REQUEST).await;
            assert_eq!(problem["field"], "id", "{bad}");
        }
        let request = client.post(&format!("/api/v1/sessions/{bad}/status")).json(&json!({}));
        check(client, request, StatusCode::BAD_REQUEST).await;
    }
    for twice in [
        "/api/v1/sessions/a/status/stream?last-event-id=1&last-event-id=2",
        "/api/admin/sse-metrics/stream?sessions=1&sessions=1",
    ] {
        check(client, client.get(twice), StatusCode::BAD_REQUEST).await;
    }
    let create = client.post("/api/v1/sessions").json(&json!({ "id": "a b" }));
    assert_eq!(check(client, create, StatusCode::BAD_REQUEST).await["field"], "id");

    for unknown in ["/api/v1/nothing", "/api/v2/sessions", "/api/admin/nothing"] {
        check(client, client.get(unknown), StatusCode::NOT_FOUND).await;
    }
    for (method_of, allowed) in [
        (client.get("/api/v1/sessions"), "POST"),
        (client.get("/api/v1/sessions/a/complete"), "POST"),
        (client.post("/api/v1/sessions/a/status/stream"), "GET,HEAD"),
        (client.post("/healthz"), "GET,HEAD"),
    ] {
        let (answer, _) = answered(client, method_of, StatusCode::METHOD_NOT_ALLOWED).await;
        assert_eq!(answer.headers()["allow"], allowed);
    }
}

#[tokio::test]
async fn what_is_no_http_harms_nobody() {
    let server = server().await;
    let (client, port) = (&server.0.client(), server.0.port);
    let head = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(20_000));
    let said = raw(port, head.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 431 ") && said.contains("application/problem+json"), "{said}");
    let long = client.get(&format!("/healthz?{}", "x".repeat(9_000)));
    check(client, long, StatusCode::URI_TOO_LONG).await;
    // More than the connection's buffer.
    let head = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(200_000));
    let said = raw(port, head.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
    healthy(client).await;

    for garbage in [
        &b"\x00\x01\x02\xff\xfe garbage\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        &[b'A'; 50_000],
    ] {
        let said = raw(port, garbage).await;
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 4") || said.starts_with("HTTP/1.1 5"),
            "{said}"
        );
        healthy(client).await;
    }

    // Half a head, half a body, and gone.
    for half in [
        "GET /api/v1/sess",
        "POST /api/v1/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"id\"",
    ] {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
        socket.write_all(half.as_bytes()).await.expect("sent");
        drop(socket);
        healthy(client).await;
    }
}

/// It asks, says that this was all, and waits.
#[tokio::test]
async fn who_closes_one_half_gets_an_answer() {
    let server = server().await;
    let check = async |request: &str, status: &str| {
        let (request, expected) = (request.as_bytes(), format!("HTTP/1.1 {status} "));
        let (one, half) = (&request[..1], request.len() / 2);
        // At once; with the end apart; in halves; its last byte late.
        for pieces in [
            &[request][..],
            &[request, b""],
            &[&request[..half], &request[half..]],
            &[one, &request[1..request.len() - 1], &request[request.len() - 1..]],
        ] {
            for _ in 0..25 {
                let said = raw_in(server.0.port, pieces).await;
                assert!(said.starts_with(&expected), "{request:?} in {} pieces: {said}", pieces.len());
            }
        }
    };
    check("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", "200").await;
    let event = r#"{"stage":"a","progress":1}"#;
    let length = format!("content-length: {}", event.len());
    check(&post(&length, event), "202").await;
    let chunks: String = event.split_inclusive(',').map(|c| format!("{:x}\r\n{c}\r\n", c.len())).collect();
    check(&post("transfer-encoding: chunked", &format!("{chunks}0\r\n\r\n")), "202").await;
    // Refused before its body is read.
    check(&post(&length, event).replace("/status", "/nothing"), "404").await;
}

/// A body that will not come is not waited for.
#[tokio::test]
async fn who_leaves_in_the_middle_of_a_body_leaves_nothing_behind() {
    let server = server().await;
    let port = server.0.port;
    for half in [
        post("content-length: 100", r#"{"stage":"a","progress":1}"#),
        post("content-length: 100", ""),
        post("transfer-encoding: chunked", "1a\r\n{\"stage\":\"a\",\"progress\":1}\r\n"),
        post("transfer-encoding: chunked", "1a\r\n{\"sta"),
    ] {
        let (half, middle) = (half.as_bytes(), half.len() / 2);
        for pieces in [&[half][..], &[half, b""], &[&half[..middle], &half[middle..]]] {
            // A body that only dribbles is borne for ten seconds.
            let said = tokio::time::timeout(Duration::from_secs(3), raw_in(port, pieces)).await;
            let said = said.expect("the connection ends");
            assert!(said.is_empty() || said.starts_with("HTTP/1.1 400 "), "{said}");
        }
    }
    healthy(&server.0.client()).await;
}

/// An event for a session that no other test uses.
fn post(length: &str, body: &str) -> String {
    format!(
        "POST /api/v1/sessions/{}/status HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{length}\r\n\r\n{body}",
        fresh("half")
    )
}

#[tokio::test]
async fn a_body_that_dribbles_is_cut_off() {
    let server = server().await;
    let dribble = async |path: &str| {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{{"
        );
        let mut socket = TcpStream::connect(("127.0.0.1", server.0.port)).await.expect("a connection");
        socket.write_all(head.as_bytes()).await.expect("sent");
        let mut said = [0; 12];
        tokio::time::timeout(Duration::from_secs(15), socket.read_exact(&mut said))
            .await
            .expect("in time")
            .expect("an answer");
        assert_eq!(&said, b"HTTP/1.1 408", "{path}");
    };
    tokio::join!(
        dribble("/api/v1/sessions"),
        dribble("/api/v1/sessions/a/status"),
        dribble("/api/v1/sessions/a/complete")
    );
    healthy(&server.0.client()).await;
}

/// A stream's socket is no HTTP any more: what its client says there is passed over, whether it came along with the
/// request or later, and one that keeps talking is cut off.
#[tokio::test]
async fn a_follower_that_talks_is_borne_for_8_kb() {
    let server = server().await;
    let (client, port) = (&server.0.client(), server.0.port);
    let session = fresh("talks");
    client.publish(&session, 1).await;
    let again = format!("GET /api/v1/sessions/{session}/status/stream HTTP/1.1\r\nhost: localhost\r\n\r\n");
    // Bytes sent with the request, bytes sent later, and whether the stream bears that.
    for (along, later, borne) in [
        (again.len(), 0, true),
        (0, 8_000, true),
        (4_000, 4_000, true),
        (9_000, 0, false),
        (4_000, 5_000, false),
        (0, 100_000, false),
    ] {
        let talk = |bytes| again.bytes().cycle().take(bytes).collect::<Vec<u8>>();
        let mut one = Bare::connect(port).await;
        one.say([again.as_bytes(), &talk(along)].concat()).await.expect("sent");
        if along <= 8_000 {
            one.until("\"data\":1").await;
        }
        // It may be cut before all is said.
        let _ = one.say(talk(later)).await;
        if borne {
            client.publish(&session, 2).await;
            one.until("\"data\":2").await;
            client.publish(&session, 1).await;
        } else {
            one.rest().await;
        }
        healthy(client).await;
    }
    streams(client, 0, 5).await;
}

/// Sends bytes and reads what comes until the server closes.
async fn raw(port: u16, bytes: &[u8]) -> String {
    raw_in(port, &[bytes]).await
}

/// The same, in several segments. An empty one is a pause.
async fn raw_in(port: u16, pieces: &[&[u8]]) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    socket.set_nodelay(true).expect("a socket");
    for (place, piece) in pieces.iter().enumerate() {
        if place > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // The server may close before it has read everything.
        let _ = socket.write_all(piece).await;
    }
    let _ = socket.shutdown().await;
    let mut said = Vec::new();
    let _ = socket.read_to_end(&mut said).await;
    String::from_utf8_lossy(&said).into_owned()
}
