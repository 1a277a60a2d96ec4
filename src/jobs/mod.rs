//! What runs beside the requests: sweeping, the list of sessions, other nodes' samples; on the elected node what is to
//! be done once for all nodes; on each the probe.

mod probe; // a stream of the node's own, through its own port

pub use probe::{HEADER as PROBE_HEADER, Probe};

use crate::{
    broker::Published,
    clock,
    gauge::{KEPT, levels},
    http::session_list,
    node::Node,
    stop::stopped,
    store,
    telemetry::database,
};
use bytes::Bytes;
use std::{
    future::Future,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};
use streamgauge_core::metric::{measure::counters::Counter, sla::Level};
use tokio::{
    sync::{mpsc, watch},
    time::MissedTickBehavior,
};

/// Starts all jobs; they end with `stop`.
pub fn start(node: &Arc<Node>, stop: &watch::Receiver<bool>) {
    every("list_sessions", Duration::from_secs(1), node, stop, list_sessions);
    every("read_keys", Duration::from_secs(5), node, stop, read_keys);
    every("hear_other_nodes", Duration::from_secs(10), node, stop, hear_other_nodes);
    every("sweep", Duration::from_secs(10), node, stop, sweep);
    every("roll_up", Duration::from_secs(2), node, stop, roll_up);
    every("watch_levels", Duration::from_secs(30), node, stop, watch_levels);
    every("retain", Duration::from_secs(20), node, stop, retain);
    if let Some(taken) = node.redis.as_ref().and_then(|redis| redis.taken()) {
        tokio::spawn(count_taken(node.clone(), taken, stop.clone()));
    }
}

/// Events of back ends that publish to Redis by themselves count like those that came by HTTP.
async fn count_taken(node: Arc<Node>, mut taken: mpsc::Receiver<Published>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            published = taken.recv() => match published {
                Some(published) => node.published(&published),
                None => return,
            },
            () = stopped(&mut stop) => return,
        }
    }
}

/// `name`: of its spans.
fn every<F>(
    name: &'static str,
    period: Duration,
    node: &Arc<Node>,
    stop: &watch::Receiver<bool>,
    job: fn(Arc<Node>) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let (node, mut stop) = (node.clone(), stop.clone());
    tokio::spawn(async move {
        let mut interval = tokio::time::interval(period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = interval.tick() => node.telemetry.job(name, job(node.clone())).await,
                () = stopped(&mut stop) => return,
            }
        }
    });
}

/// Read once for everybody who looks, and not at all when nobody does.
async fn list_sessions(node: Arc<Node>) {
    if node.sessions.receiver_count() == 0 {
        return;
    }
    // While the database is away the list simply does not change; the page has a notice that says why.
    if let Ok(list) = session_list(&node).await
        && let Ok(json) = serde_json::to_string(&list)
    {
        node.sessions.send_replace(Bytes::from(format!("event: sessions\ndata: {json}\n\n")));
    }
}

/// A key that was made or revoked elsewhere counts here soon.
async fn read_keys(node: Arc<Node>) {
    // What is known stays while the database is away.
    if let Err(error) = database("read keys", node.access.refresh(node.store.pool())).await {
        tracing::debug!(%error, "the keys could not be read");
    }
}

/// What a transaction may take from its beginning, which is when its rows say that they were stored, to its end.
const UNDER_WAY: Duration = Duration::from_secs(20);

/// The board is about all nodes: what the others measured comes by PostgreSQL, a bucket late, or hours after an outage.
async fn hear_other_nodes(node: Arc<Node>) {
    if node.redis.is_none() || node.store.health() != store::Health::Good {
        return;
    }
    let open = node.board.open_bucket();
    // What was stored since the last time, and a little more: the board knows which it has.
    let (now, heard) = (Instant::now(), node.heard.lock().unwrap_or_else(PoisonError::into_inner).to_owned());
    let since = heard.map_or(KEPT as f64, |heard| (now - heard + UNDER_WAY).as_secs_f64());
    let rows = store::of_others(node.store.pool(), &node.settings.node, (open - KEPT, open), since);
    match database("read other nodes' samples", rows).await {
        Ok(rows) => {
            node.board.absorb(rows);
            *node.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        }
        Err(error) => tracing::debug!(%error, "other nodes' samples could not be read"),
    }
}

/// Drops sessions that ended or went silent.
async fn sweep(node: Arc<Node>) {
    let steady = clock::steady_ms();
    if let Some(local) = &node.local {
        local.sweep(steady);
    }
    let now = node.ages.lock().unwrap_or_else(PoisonError::into_inner).now(clock::now_ms(), steady);
    if node.store.health() != store::Health::Good {
        return;
    }
    let abandoned = store::abandon(node.store.pool(), now - node.settings.abandon_after_ms);
    match database("abandon sessions", abandoned).await {
        Ok(count) => node.recorder.add(Counter::SessionsAbandoned, count),
        Err(error) => tracing::debug!(%error, "abandoned sessions could not be noted"),
    }
}

/// Buckets that closed so long ago are merged, seconds: by then every node that is not cut off has written its rows.
const SETTLED: i64 = 15;

/// Merges what is due, on the elected node.
async fn roll_up(node: Arc<Node>) {
    if !node.store.leads() {
        return;
    }
    loop {
        let merged = store::roll_up(node.store.pool(), clock::now_ms() / 1_000 - SETTLED);
        match database("merge samples", merged).await {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => return tracing::debug!(%error, "samples could not be merged"),
        }
    }
}

/// Drops what is older than its tier is kept, on the elected node.
async fn retain(node: Arc<Node>) {
    if !node.store.leads() {
        return;
    }
    let dropped = store::retain(node.store.pool(), clock::now_ms() / 1_000, &node.settings.keep_days);
    match database("drop samples", dropped).await {
        Ok(0) => {}
        Ok(partitions) => tracing::info!(partitions, "samples beyond their time were dropped"),
        Err(error) => tracing::warn!(%error, "old samples could not be dropped"),
    }
    let dropped = store::retain_traces(node.store.pool(), clock::now_ms() / 1_000);
    if let Err(error) = database("drop timelines", dropped).await {
        tracing::warn!(%error, "old traces could not be dropped");
    }
    let forgotten = node.access.forget_sign_outs(node.store.pool());
    if let Err(error) = database("forget sign-outs", forgotten).await {
        tracing::warn!(%error, "old sign-outs could not be forgotten");
    }
}

/// Says on every page which service levels are at risk, and keeps quiet while they cannot be read.
async fn watch_levels(node: Arc<Node>) {
    if node.store.health() != store::Health::Good {
        return;
    }
    match database("read service levels", levels(node.store.pool(), clock::now_ms() / 1_000)).await {
        Ok((levels, _)) => {
            let notices = levels.iter().filter_map(Level::notice).collect();
            *node.at_risk.lock().unwrap_or_else(PoisonError::into_inner) = notices;
        }
        Err(error) => tracing::debug!(%error, "service levels could not be read"),
    }
}
