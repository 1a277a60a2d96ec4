//! The audit log: every change names its actor, and neither is stored without the other.

use crate::{
    load_tests::document as load_test,
    support::{Client, Database, Launch, Server, eventually, key},
};
use reqwest::{RequestBuilder, Response, StatusCode, redirect::Policy};
use serde_json::{Value, json};
use sqlx::Row;

const ROUTE: &str = "/api/admin/audit";

async fn sent(request: RequestBuilder, expected: StatusCode) -> Response {
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), expected);
    answer
}

async fn json_of(request: RequestBuilder, expected: StatusCode) -> Value {
    sent(request, expected).await.json().await.expect("JSON")
}

/// A new key with its secret.
fn made(database: &Database, name: &str, scope: &str) -> String {
    let (said, code) = key(database, &["create", "--name", name, "--scope", scope]);
    assert_eq!(code, Some(0), "{said}");
    said.lines().next().expect("a key").to_owned()
}

fn id_of(secret: &str) -> &str {
    &secret[4..20]
}

async fn rows(request: RequestBuilder) -> Vec<Value> {
    json_of(request, StatusCode::OK).await["rows"].as_array().expect("rows").clone()
}

/// The rows of an action, newest first, once there are some.
async fn rows_of(read: impl Fn() -> RequestBuilder, action: &str) -> Vec<Value> {
    eventually(&format!("{action} is in the audit log"), 20, async || {
        let all = json_of(read(), StatusCode::OK).await;
        let all = all["rows"].as_array().expect("rows");
        let found: Vec<Value> = all.iter().filter(|row| row["action"] == action).cloned().collect();
        (!found.is_empty()).then_some(found)
    })
    .await
}

fn without_redirects() -> reqwest::Client {
    reqwest::Client::builder().redirect(Policy::none()).build().expect("a client")
}

/// The answer to a sign-in, sent with these headers.
async fn sign_in(server: &Server, key: &str, headers: &[(&str, &str)]) -> String {
    let mut form = without_redirects().post(format!("http://127.0.0.1:{}/login", server.port));
    form = form.header("content-type", "application/x-www-form-urlencoded");
    for (name, value) in headers {
        form = form.header(*name, *value);
    }
    let answer = form.body(format!("key={key}")).send().await.expect("an answer");
    answer.headers()["set-cookie"].to_str().expect("text").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_is_in_the_audit_log_with_its_actor_and_without_secrets() {
    let database = Database::new().await;
    let (admin, other) = (made(&database, "ops", "admin"), made(&database, "old", "publish"));
    let server = Launch::on(&database).flag("node", "here").start();
    let client = server.client();
    client.stored().await;
    let read = || client.get(ROUTE).bearer_auth(&admin);

    // By the command line.
    assert_eq!(key(&database, &["revoke", id_of(&other)]).1, Some(0));
    let row = &rows_of(read, "key.revoke").await[0];
    assert_eq!((&row["object"], &row["new"]), (&json!(format!("key/{}", id_of(&other))), &Value::Null));
    assert_eq!(row["old"], json!({ "name": "old", "scopes": ["publish"] }));
    let actor = &row["actor"];
    assert_eq!((&actor["kind"], &actor["role"]), (&json!("command_line"), &json!("admin")));
    assert!(actor["user"].is_string() && actor["name"] == actor["user"], "{actor}");
    let created = rows_of(read, "key.create").await;
    assert_eq!(created[1]["new"], json!({ "name": "ops", "scopes": ["admin"] }));

    // By key.
    let by_key = json!({ "kind": "key", "name": "ops", "key": id_of(&admin), "user": null,
        "address": "127.0.0.1", "role": "admin" });
    let flag = client.post("/api/admin/annotations").json(&json!({ "text": "v2", "kind": "deploy" }));
    let flag = json_of(flag.bearer_auth(&admin), StatusCode::CREATED).await;
    assert_eq!(flag["author"], "ops");
    let row = &rows_of(read, "annotation.add").await[0];
    assert_eq!((&row["actor"], &row["old"]), (&by_key, &Value::Null));
    assert_eq!(row["new"], json!({ "at": flag["at"], "kind": "deploy", "node": "", "text": "v2" }));
    let path = format!("/api/admin/annotations/{}", flag["id"]);
    sent(client.delete(&path).bearer_auth(&admin), StatusCode::NO_CONTENT).await;
    let row = &rows_of(read, "annotation.remove").await[0];
    assert_eq!((&row["actor"], &row["new"]), (&by_key, &Value::Null));
    assert_eq!((&row["old"]["text"], &row["old"]["author"]), (&json!("v2"), &json!("ops")));
    let kept = client.post("/api/admin/load-tests").json(&load_test("burst", 9.0)).bearer_auth(&admin);
    let kept = json_of(kept, StatusCode::CREATED).await;
    let row = &rows_of(read, "load_test.add").await[0];
    assert_eq!((&row["actor"], &row["object"]), (&by_key, &json!(format!("load-test/{}", kept["id"]))));
    let change = json!({ "batch_ms": 250, "streams_per_user": 0 });
    sent(client.patch("/api/admin/limits").json(&change).bearer_auth(&admin), StatusCode::OK).await;
    let changes = rows_of(read, "limits.change").await;
    assert_eq!((&changes[0]["actor"], &changes[0]["object"]), (&by_key, &json!("limits/here")));
    assert_eq!(
        (&changes[0]["old"], &changes[0]["new"]),
        (&json!({"batch_ms": 0}), &json!({"batch_ms": 250}))
    );
    // What changes nothing is no change.
    sent(client.patch("/api/admin/limits").json(&change).bearer_auth(&admin), StatusCode::OK).await;

    // By a sign-in, which a key was shown for.
    let cookie = sign_in(&server, &admin, &[]).await;
    let cookie = cookie.split(';').next().expect("a cookie");
    let out = without_redirects().post(format!("http://127.0.0.1:{}/logout", server.port));
    sent(out.header("cookie", cookie), StatusCode::SEE_OTHER).await;
    let row = &rows_of(read, "sign_in.end").await[0];
    assert_eq!((&row["actor"], &row["object"]), (&by_key, &json!(format!("key/{}", id_of(&admin)))));
    assert_eq!(rows_of(read, "limits.change").await.len(), 1);

    // From page to page, newest first and each row once.
    let all = rows(read()).await;
    let ids: Vec<i64> = all.iter().map(|row| row["id"].as_i64().expect("an id")).collect();
    assert!(ids.is_sorted_by(|one, next| one > next), "{ids:?}");
    let mut paged = Vec::new();
    let mut page = json_of(read().query(&[("limit", "2")]), StatusCode::OK).await;
    loop {
        paged.extend(page["rows"].as_array().expect("rows").clone());
        let Some(next) = page["next"].as_i64() else { break };
        let (limit, before) = (("limit", "2".to_owned()), ("before", next.to_string()));
        page = json_of(read().query(&[limit, before]), StatusCode::OK).await;
    }
    assert_eq!(paged, all);

    // Secrets are in no row, nor in the log, which names the actor of each change.
    let stored = "SELECT string_agg(audit::text, ' ') FROM audit";
    let stored: String =
        sqlx::query(stored).fetch_one(&mut database.connect().await).await.expect("rows").get(0);
    let log = server.log();
    for secret in [&admin, &other] {
        assert!(!stored.contains(&secret[21..]) && !log.contains(&secret[21..]));
    }
    assert!(!stored.contains(cookie.split('=').nth(1).expect("a value")));
    let by = format!("key {} (ops)", id_of(&admin));
    let changes = log.lines().filter(|line| line.contains(&by) && line.contains("route=")).count();
    assert!(changes >= 5, "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_audit_row_is_refused_is_not_made() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let client = server.client();
    client.stored().await;
    let flag = |text: &str| client.post("/api/admin/annotations").json(&json!({ "text": text }));
    let old = json_of(flag("old"), StatusCode::CREATED).await;
    let path = format!("/api/admin/annotations/{}", old["id"]);
    database.run(&["ALTER TABLE audit ADD CONSTRAINT full_disk CHECK (false) NOT VALID"]).await;
    sent(flag("new"), StatusCode::SERVICE_UNAVAILABLE).await;
    sent(client.delete(&path), StatusCode::SERVICE_UNAVAILABLE).await;
    let run = client.post("/api/admin/load-tests").json(&load_test("burst", 9.0));
    sent(run, StatusCode::SERVICE_UNAVAILABLE).await;
    let (said, code) = key(&database, &["create", "--name", "ci", "--scope", "admin"]);
    assert_eq!(code, Some(1), "{said}");
    let left =
        "SELECT (SELECT count(*) FROM annotations WHERE kind = 'note'), (SELECT count(*) FROM load_tests),
                       (SELECT count(*) FROM api_keys)";
    let left = sqlx::query(left).fetch_one(&mut database.connect().await).await.expect("counts");
    assert_eq!((left.get::<i64, _>(0), left.get::<i64, _>(1), left.get::<i64, _>(2)), (1, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_audit_row_is_changed_or_deleted() {
    let database = Database::new().await;
    made(&database, "ops", "admin");
    let mut connection = database.connect().await;
    for statement in [
        "UPDATE audit SET actor_name = 'nobody'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "TRUNCATE audit CASCADE",
    ] {
        let refused = sqlx::raw_sql(statement).execute(&mut connection).await.expect_err(statement);
        assert!(refused.to_string().contains("neither changed nor deleted"), "{statement}: {refused}");
    }
    let names = sqlx::query("SELECT string_agg(object, ' ') FROM audit WHERE action = 'key.create'");
    let names: String = names.fetch_one(&mut connection).await.expect("a row").get(0);
    assert!(names.starts_with("key/"), "{names}");
}

async fn change_limits(client: &Client, batch_ms: u32) {
    let change = client.patch("/api/admin/limits").json(&json!({ "batch_ms": batch_ms }));
    sent(change, StatusCode::OK).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_change_without_postgresql_and_their_audit_rows_follow() {
    let database = Database::alone();
    let server = Launch::on(&database).flag("node", "here").start();
    let client = server.client();
    client.stored().await;
    database.stop();
    change_limits(&client, 100).await;
    sent(client.get(ROUTE), StatusCode::SERVICE_UNAVAILABLE).await;
    change_limits(&client, 200).await;
    database.start();
    eventually("PostgreSQL answers", 20, async || {
        let answer = client.get(ROUTE).send().await.expect("an answer");
        (answer.status() == StatusCode::OK).then_some(())
    })
    .await;
    let rows = rows_of(|| client.get(ROUTE), "limits.change").await;
    let seen: Vec<_> = rows.iter().map(|row| (row["old"].clone(), row["new"].clone())).collect();
    let batch = |ms: u32| json!({ "batch_ms": ms });
    assert_eq!(seen, [(batch(100), batch(200)), (batch(0), batch(100))]);
    // When it was changed, not when it was stored.
    assert!(rows[0]["at"].as_i64() < rows[1]["at"].as_i64().map(|at| at + 60_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_access_is_open_the_actor_is_the_local_user() {
    let database = Database::new().await;
    let server = Launch::on(&database).start();
    let client = server.client();
    client.stored().await;
    change_limits(&client, 100).await;
    let rows = rows_of(|| client.get(ROUTE), "limits.change").await;
    let expected = json!({ "kind": "local_user", "name": "local user", "key": null, "user": null,
        "address": "127.0.0.1", "role": "admin" });
    assert_eq!(rows[0]["actor"], expected);
    let flags = json_of(client.get("/api/admin/annotations"), StatusCode::OK).await;
    let flags = flags.as_array().expect("flags");
    let author =
        |kind: &str| flags.iter().find(|flag| flag["kind"] == kind).map(|flag| flag["author"].clone());
    assert_eq!(author("change"), Some(json!("local user")));
    assert_eq!(author("restart"), Some(Value::Null), "the server itself is no author");
}

/// What a client writes into the headers of proxies must not hide where it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_trusted_proxy_says_where_an_actor_is_and_how_it_came() {
    for (trusted, address, is_secure) in
        [("127.0.0.0/8,::1", "203.0.113.9", true), ("10.0.0.0/8", "127.0.0.1", false)]
    {
        let database = Database::new().await;
        let admin = made(&database, "ops", "admin");
        let server = Launch::on(&database).flag("trusted-proxies", trusted).start();
        let client = server.client();
        client.stored().await;
        let flag = client.post("/api/admin/annotations").json(&json!({ "text": "v2" })).bearer_auth(&admin);
        // The first line is the client's own, the second the proxy's.
        let flag = flag.header("x-forwarded-for", "198.51.100.1").header("x-forwarded-for", "203.0.113.9");
        sent(flag, StatusCode::CREATED).await;
        let rows = rows_of(|| client.get(ROUTE).bearer_auth(&admin), "annotation.add").await;
        assert_eq!(rows[0]["actor"]["address"], address, "{trusted}");
        let cookie = sign_in(&server, &admin, &[("x-forwarded-proto", "https")]).await;
        assert_eq!(cookie.contains("; Secure"), is_secure, "{trusted}: {cookie}");
        // The browser says itself that its page came by TLS.
        let host = ("host", "status.example.com");
        let cookie = sign_in(&server, &admin, &[host, ("origin", "https://status.example.com")]).await;
        assert!(cookie.contains("; Secure"), "{trusted}: {cookie}");
        let cookie = sign_in(&server, &admin, &[host, ("origin", "http://status.example.com")]).await;
        assert!(!cookie.contains("; Secure"), "{trusted}: {cookie}");
    }
}
