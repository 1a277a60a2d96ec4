//! Once a second: collect, show, and every ten seconds store.

use crate::{
    broker::{Health as BrokerHealth, RedisBroker},
    clock,
    gauge::{
        BusinessCollector, ConnectionCollector, Levels, MessageCollector, RegionBuckets, ResourceCollector,
    },
    node::Node,
    stop::stopped,
    store,
};
use bytes::Bytes;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use streamgauge_core::metric::{
    kpi::thousands,
    measure::{counters::Counter, sample::Sample},
    notice::{Notice, Severity},
    range::Range,
};
use tokio::{sync::watch, time::MissedTickBehavior};

/// How often Redis is asked for its memory, seconds.
const REDIS_EVERY: u64 = 10;

/// Ticks until `stop`, then stores the bucket that was filling.
/// `at_risk`: service levels at risk, in words.
pub async fn run(node: Arc<Node>, at_risk: watch::Receiver<Vec<Notice>>, mut stop: watch::Receiver<bool>) {
    let mut collectors = Collectors::new(&node);
    let regions = RegionBuckets::new(node.settings.node.clone());
    let mut second = tokio::time::interval(Duration::from_secs(1));
    // After a stall the seconds that nobody saw are missing, not repeated.
    second.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let found = Arc::new(Found::default());
    let mut count = 0u64;
    loop {
        tokio::select! {
            _ = second.tick() => {}
            () = stopped(&mut stop) => break,
        }
        if let Some(redis) = node.redis.clone()
            && count.is_multiple_of(REDIS_EVERY)
        {
            tokio::spawn(ask(redis, found.clone()));
        }
        count += 1;
        let (mut tick, mut levels) = collectors.tick(clock::now_ms());
        levels.redis_memory = Some(found.memory.load(Relaxed)).filter(|&bytes| bytes > 0);
        if let Some(bytes) = levels.redis_memory {
            tick.counters.add(Counter::RedisMemorySum, bytes);
            tick.counters.add(Counter::RedisSeconds, 1);
        }
        levels.notices = notices(&node);
        levels.notices.extend(at_risk.borrow().iter().cloned());
        node.totals.add(&tick);
        if let Some(closed) = node.board.tick(&tick, levels) {
            node.store.write_behind().sample(closed);
        }
        tick_regions(&node, &regions);
        show(&node);
    }
    // What was counted since the last tick belongs to the last bucket.
    let (tick, levels) = collectors.tick(clock::now_ms());
    if let Some(closed) = node.board.tick(&tick, levels) {
        node.store.write_behind().sample(closed);
    }
    node.store.write_behind().sample(node.board.close());
    tick_regions(&node, &regions);
    regions.close().into_iter().for_each(|row| node.store.write_behind().sample(row));
}

fn tick_regions(node: &Node, regions: &RegionBuckets) {
    let closed = regions.tick(&node.recorder, &node.geo, node.board.open_bucket(), Range::Hour.step());
    closed.into_iter().for_each(|row| node.store.write_behind().sample(row));
}

/// What Redis said last; zero: nothing.
#[derive(Default)]
struct Found {
    /// Bytes.
    memory: AtomicU64,
}

async fn ask(redis: Arc<RedisBroker>, found: Arc<Found>) {
    // A failure is noted in the broker's health, which the page shows.
    let memory = redis.memory().await.ok().flatten();
    found.memory.store(memory.unwrap_or(0), Relaxed);
}

struct Collectors {
    connections: ConnectionCollector,
    messages: MessageCollector,
    resources: ResourceCollector,
    business: BusinessCollector,
}

impl Collectors {
    fn new(node: &Node) -> Collectors {
        Collectors {
            connections: ConnectionCollector { hub: node.streams.hub.clone() },
            messages: MessageCollector { recorder: node.recorder.clone() },
            resources: ResourceCollector::default(),
            business: BusinessCollector {
                polled: node.polled.clone(),
                hub: node.streams.hub.clone(),
                poll_interval_ms: node.settings.poll_interval_ms,
            },
        }
    }

    /// One second of everything. `now`: Unix milliseconds.
    fn tick(&mut self, now: i64) -> (Sample, Levels) {
        let mut tick = Sample::new("", now / 1_000, 1);
        tick.counters.add(Counter::Seconds, 1);
        tick.counters.add(Counter::CoveredSeconds, 1);
        let streams = self.connections.collect(&mut tick);
        self.messages.collect(&mut tick);
        let (memory, cpu) = self.resources.collect(&mut tick, streams);
        let pollers = self.business.collect(&mut tick, now);
        (tick, Levels { now, streams, pollers, memory, cpu, ..Levels::default() })
    }
}

/// What an operator should know now: the fact, and what goes on meanwhile.
fn notices(node: &Node) -> Vec<Notice> {
    let mut notices = Vec::new();
    if let store::Health::Away { since } = node.store.health() {
        let (waiting, lost) = node.store.write_behind().state();
        let lost = lost + node.recorder.journal().lost();
        let lost = if lost > 0 {
            format!(" {} were dropped because the buffer was full.", thousands(lost))
        } else {
            String::new()
        };
        notices.push(Notice {
            severity: Severity::Warning,
            fact: format!("PostgreSQL has been unreachable since {}.", utc(since)),
            detail: format!(
                "Streams and polls go on. {} samples wait and are stored when it is back.{lost}",
                thousands(waiting as u64)
            ),
        });
    }
    if let BrokerHealth::Away { since, .. } = node.streams.broker.health() {
        notices.push(Notice {
            severity: Severity::Critical,
            fact: format!("Redis has been unreachable since {}.", utc(since)),
            detail: "Open streams stay, publishing and polling are refused. What was missed is delivered when it is back."
                .into(),
        });
    }
    if let Some(since) = node.redis.as_ref().and_then(|redis| redis.full_since()) {
        notices.push(Notice {
            severity: Severity::Critical,
            fact: format!("Redis has been at its memory limit since {}.", utc(since)),
            detail:
                "Publishing is refused; polls and streams go on. Raise maxmemory, or let sessions end sooner."
                    .into(),
        });
    }
    notices
}

/// `14:42:07 UTC`.
fn utc(at: i64) -> String {
    chrono::DateTime::from_timestamp_millis(at).unwrap_or_default().format("%H:%M:%S UTC").to_string()
}

/// Encodes the message of this second once, for all dashboards; nothing when nobody looks.
fn show(node: &Node) {
    if node.metrics.receiver_count() > 0
        && let Ok(json) = serde_json::to_string(&node.live())
    {
        node.metrics.send_replace(Bytes::from(format!("data: {json}\n\n")));
    }
}
