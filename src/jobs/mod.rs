//! What runs beside the requests. A periodic job is one file that implements [`Job`], and one row in [`start`]; the runner
//! does the rest: period, stop, and whether the job may run now.

mod evaluate_alerts; // every second, on the leader: judges each bucket that closed
mod give_memory_back; // every second: free memory goes back to the system
mod hear_other_nodes; // every 10 s: what other nodes measured
mod list_sessions; // every second: the list of running sessions, while a dashboard shows it
mod probe; // a stream of the node's own, through its own port; has a period of its own
mod probe_redis; // every second: a round trip to Redis, where there is one
mod read_keys; // every 5 s: API keys made or revoked elsewhere
mod retain; // every 20 s, on the leader: deletes what is older than it is kept
mod roll_up; // every 2 s, on the leader: merges samples into coarser rows
mod show_alerts; // every second: what other nodes and people changed of alerts
mod sweep; // every 10 s: sessions that ended or went silent
mod taken; // as they come: events that back ends publish to Redis directly
mod tick; // every second: collects, shows, and every 10 s stores what was measured
mod watch_levels; // every 30 s: service levels at risk

pub use probe::Probe;
pub use tick::run as tick;

use crate::{node::Node, stop::stopped, store::Health};
use std::{sync::Arc, time::Duration};
use streamgauge_core::metric::notice::Notice;
use tokio::{sync::watch, time::MissedTickBehavior};

/// Something that the server does again and again by itself. What it remembers between two turns is its own state.
trait Job: Send + 'static {
    /// Names its spans.
    const NAME: &'static str;
    /// From one turn to the next. A turn that takes longer delays the next one.
    const PERIOD: Duration;
    /// Runs on the leader only: work that one node does for all nodes.
    const LEADER_ONLY: bool;
    /// Does not run while PostgreSQL is unreachable.
    const NEEDS_DATABASE: bool;

    /// One turn.
    fn run(&mut self, node: &Node) -> impl Future<Output = ()> + Send;
}

/// Starts all jobs; they end with `stop`. `at_risk`: where service levels at risk are shown.
pub fn start(node: &Arc<Node>, at_risk: watch::Sender<Vec<Notice>>, stop: &watch::Receiver<bool>) {
    run(give_memory_back::GiveMemoryBack, node, stop);
    run(list_sessions::ListSessions, node, stop);
    run(read_keys::ReadKeys, node, stop);
    run(hear_other_nodes::HearOtherNodes::default(), node, stop);
    run(sweep::Sweep::new(node), node, stop);
    run(roll_up::RollUp, node, stop);
    run(watch_levels::WatchLevels { at_risk }, node, stop);
    run(retain::Retain, node, stop);
    if node.redis.is_some() {
        run(probe_redis::ProbeRedis, node, stop);
    }
    run(evaluate_alerts::EvaluateAlerts::default(), node, stop);
    run(show_alerts::ShowAlerts, node, stop);
    if let Some(taken) = node.redis.as_ref().and_then(|redis| redis.taken()) {
        tokio::spawn(taken::count(node.clone(), taken, stop.clone()));
    }
}

fn run<J: Job>(mut job: J, node: &Arc<Node>, stop: &watch::Receiver<bool>) {
    let (node, mut stop) = (node.clone(), stop.clone());
    tokio::spawn(async move {
        let mut interval = tokio::time::interval(J::PERIOD);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = interval.tick() => node.telemetry.job(J::NAME, turn(&mut job, &node)).await,
                () = stopped(&mut stop) => return,
            }
        }
    });
}

async fn turn<J: Job>(job: &mut J, node: &Node) {
    let may_run = may_run::<J>(node.store.leads(), &node.store.health());
    if may_run {
        job.run(node).await;
    }
}

fn may_run<J: Job>(leads: bool, health: &Health) -> bool {
    (leads || !J::LEADER_ONLY) && (*health == Health::Good || !J::NEEDS_DATABASE)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sample<const LEADER_ONLY: bool, const NEEDS_DATABASE: bool>;

    impl<const L: bool, const D: bool> Job for Sample<L, D> {
        const NAME: &'static str = "sample";
        const PERIOD: Duration = Duration::from_secs(1);
        const LEADER_ONLY: bool = L;
        const NEEDS_DATABASE: bool = D;

        async fn run(&mut self, _: &Node) {}
    }

    /// Where a job runs: on the leader and on others, each while PostgreSQL is reachable and while it is not.
    fn check<J: Job>(expected: [bool; 4]) {
        let (good, away) = (Health::Good, Health::Away { since: 0 });
        let runs = [(true, &good), (true, &away), (false, &good), (false, &away)];
        assert_eq!(runs.map(|(leads, health)| may_run::<J>(leads, health)), expected);
    }

    #[test]
    fn a_job_runs_where_its_constants_let_it() {
        check::<Sample<false, false>>([true, true, true, true]);
        check::<Sample<false, true>>([true, false, true, false]);
        check::<Sample<true, false>>([true, true, false, false]);
        check::<Sample<true, true>>([true, false, false, false]);
        assert!(!may_run::<Sample<false, true>>(true, &Health::Starting), "PostgreSQL has no tables yet");
    }
}
