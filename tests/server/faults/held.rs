use crate::support::{Bare, Database, Launch, fresh};

const SESSIONS: usize = 20;
const EACH: usize = 100;
/// Until histories are full and the allocator has what it takes.
const WARM: u64 = 20;
const MORE: u64 = 120;

/// The hour of 18,000 streams on a small scale: what is held is told a quarter of a million events more, and weighs no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_are_held_do_not_grow() {
    let database = Database::new().await;
    let server = Launch::on(&database).flag("history-events", 8).start();
    let client = server.client();
    let mut held = Vec::new();
    for _ in 0..SESSIONS {
        let session = fresh("held");
        client.publish(&session, 0).await;
        held.push((Bare::crowd(server.port, &session, EACH).await, session));
    }
    let mut warm = 0;
    for n in 1..=WARM + MORE {
        for (_, session) in &held {
            client.publish(session, n).await;
        }
        for (followers, _) in &mut held {
            for follower in followers {
                follower.past(&format!("-{}\nevent: status\n", n + 1)).await;
            }
        }
        if n == WARM {
            warm = server.memory();
        }
    }
    let (now, bound) = (server.memory(), warm + warm / 50);
    assert!(now <= bound, "{now} bytes, and {warm} before {MORE} events to {} streams", SESSIONS * EACH);
}
