//! Judges each closed bucket, oldest first, and stores what came of it in one transaction.
//!
//! What is in memory is only ever ahead of PostgreSQL by a turn that is being stored. When a turn is not stored, for
//! whatever reason, everything is dropped and read anew: if the COMMIT went through after all, the stored cursor says so,
//! and if not, the same buckets are judged again. So nothing is lost and nothing is doubled.
//!
//! Time is counted in buckets, by the clock of this node. A clock that was set back makes judging go on with the bucket
//! that it shows then, and the machines of the rules count on as if no time had passed. A clock that was set forward makes
//! buckets that nobody recorded, in which every rule stands still.

use super::{
    Alerting, Book, Quiet, book,
    fill::{by_bucket, fill, wanted},
    watched::{BUCKET, PER_MINUTE, Watched},
};
use crate::store::{
    Store, StoreError,
    alerts::{Fence, Turn, Wanted},
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use streamgauge_core::metric::measure::packed::Packed;

/// A bucket is closed at the latest so long after its end, seconds, though not every node has stored its sample.
const PATIENCE: i64 = 10;
/// Buckets that are read at once after a time in which nobody judged.
const PIECE: i64 = 180;
/// A clock that is behind the judged buckets by more than this was set back, buckets.
const SET_BACK: i64 = 6;
/// How long a node that lost the fence defers to the one that has it, seconds: twice as long as an election takes.
const DEFERS: i64 = 6;
/// Whether errors come in bursts is measured over a week and two hours, seconds.
const REMEMBERED: i64 = 8 * 86_400;
/// Nodes count as live for so many buckets after their last sample.
const LIVE: usize = 3;

/// What one node evaluates, while it is the elected one.
#[derive(Default)]
pub struct Evaluator {
    running: Option<Running>,
    /// Another node has taken over: until then (Unix seconds) this one, which may not know yet that it leads no more, does
    /// not take over in its turn.
    waits_until: i64,
}

struct Running {
    fence: Fence,
    /// The newest bucket that was judged.
    cursor: i64,
    /// The latest end of a bucket by the clock, seconds: until the clock is there again, stored rows of a repeated time may
    /// be those of the first one.
    latest: i64,
    /// Since when PostgreSQL answers, Unix seconds: other nodes may still write what waited.
    since: i64,
    judging: Judging,
}

/// What computing needs; it goes to another thread and comes back.
struct Judging {
    watched: Vec<Watched>,
    wanted: Wanted,
    /// The rows of the buckets of the minute that is filling.
    minute: BTreeMap<i64, Vec<Packed>>,
    /// Nodes of the newest buckets.
    nodes: VecDeque<BTreeSet<String>>,
}

/// A closed bucket with its place in time.
struct Closed {
    index: i64,
    rows: Vec<Packed>,
}

impl Evaluator {
    /// One turn. `now`: Unix seconds. After an error, and when this node is the evaluator no more, it begins anew.
    pub async fn turn(
        &mut self,
        store: &Store,
        alerting: &Alerting,
        node: &str,
        now: i64,
    ) -> Result<bool, StoreError> {
        let mut running = match self.running.take() {
            Some(running) => running,
            None if now < self.waits_until => return Ok(false),
            None => match Running::begin(store, alerting, node, now).await? {
                Some(running) => running,
                None => return Ok(false),
            },
        };
        let mut changed = false;
        while let Some(closed) = running.closed(store, now).await? {
            let (turn, judged) = running.judge(store, closed).await?;
            running = judged;
            if !store.alerts().write(running.fence, &turn).await? {
                // Another node evaluates, or rules were changed: read anew at the next turn.
                if store.alerts().evaluator().await?.epoch != running.fence.epoch {
                    self.waits_until = now + DEFERS;
                }
                return Ok(true);
            }
            running.fence.turn += 1;
            changed = true;
        }
        self.running = Some(running);
        Ok(changed)
    }
}

impl Running {
    /// Takes over. `None`: a change came between; it is tried again.
    async fn begin(
        store: &Store,
        alerting: &Alerting,
        node: &str,
        now: i64,
    ) -> Result<Option<Running>, StoreError> {
        let alerts = store.alerts();
        let mut evaluator = alerts.take_over(node).await?;
        if !evaluator.seeded && alerting.file().is_none() {
            alerts.seed(&book::shipped()).await?;
            evaluator.seeded = true;
        }
        let stored;
        let book: &Book = match alerting.file() {
            Some(book) => book,
            None => {
                stored = Book::of_rows(&alerts.rules().await?);
                &stored
            }
        };
        let (states, open) = (alerts.states().await?, alerts.open_incidents().await?);
        let mut watched = Vec::new();
        for entry in &book.entries {
            let name = &entry.rule.name;
            let state = states.iter().find(|state| state.rule == *name);
            let open = open.iter().find(|open| open.rule == *name);
            // A rule that is disabled, or without Redis, is not judged.
            watched.extend(Watched::new(entry, alerting.redis, state, open).ok());
        }
        let names: Vec<String> = watched.iter().map(|rule| rule.name().to_owned()).collect();
        if !alerts.forget_others(evaluator.fence(), &names).await? {
            return Ok(None);
        }
        let kept = states.iter().filter(|state| names.contains(&state.rule)).map(|state| state.newest).max();
        let present = now.div_euclid(BUCKET);
        // Without a stored state, judging begins with the bucket that is filling.
        let cursor = kept.unwrap_or(present - 1);
        for (rule, fired, counts) in alerts.faults((now - REMEMBERED) * 1_000).await? {
            for watched in watched.iter_mut().filter(|watched| watched.name() == rule) {
                watched.machine().count_fault(fired / 1_000, counts);
            }
        }
        let watched = fill(store, watched, cursor).await?;
        tracing::info!(rules = watched.len(), epoch = evaluator.epoch, "this node evaluates the alert rules");
        let judging =
            Judging { wanted: wanted(&watched), watched, minute: BTreeMap::new(), nodes: VecDeque::new() };
        let mut running = Running { fence: evaluator.fence(), cursor, latest: 0, since: now, judging };
        running.begin_minute(store).await?;
        Ok(Some(running))
    }

    /// Reads the buckets of the minute that had begun.
    async fn begin_minute(&mut self, store: &Store) -> Result<(), StoreError> {
        let first = self.cursor.div_euclid(PER_MINUTE) * PER_MINUTE;
        if (self.cursor + 1) % PER_MINUTE == 0 {
            return Ok(());
        }
        let window = (first * BUCKET, (self.cursor + 1) * BUCKET);
        let rows = store.alerts().samples(window, &self.judging.wanted).await?;
        for (start, rows) in by_bucket(rows) {
            self.judging.minute.insert(start.div_euclid(BUCKET), rows);
        }
        Ok(())
    }

    /// The next closed buckets, at most a piece of them. `None`: the next one is not closed yet.
    async fn closed(&mut self, store: &Store, now: i64) -> Result<Option<Vec<Closed>>, StoreError> {
        // The newest bucket that has ended.
        let ended = now.div_euclid(BUCKET) - 1;
        if ended < self.cursor - SET_BACK {
            tracing::warn!(
                seconds = (self.cursor - ended) * BUCKET,
                "the clock was set back: alert rules are judged on from here"
            );
            self.cursor = ended;
            self.judging.minute.clear();
        }
        let next = self.cursor + 1;
        // Nothing has ended: nothing is asked.
        if next > ended {
            return Ok(None);
        }
        let last = ended.min(next + PIECE);
        let rows = store.alerts().samples((next * BUCKET, (last + 1) * BUCKET), &self.judging.wanted).await?;
        let mut buckets = by_bucket(rows);
        let mut closed = Vec::new();
        for index in next..=last {
            let end = (index + 1) * BUCKET;
            let rows = buckets.remove(&(index * BUCKET)).unwrap_or_default();
            let waited = now >= end + PATIENCE && now >= self.since + PATIENCE;
            let is_whole = end >= self.latest && self.judging.is_complete(&rows);
            if !waited && !is_whole {
                break;
            }
            self.latest = self.latest.max(end);
            self.judging.saw(&rows);
            closed.push(Closed { index, rows });
        }
        Ok((!closed.is_empty()).then_some(closed))
    }

    /// Judges them: what is to be stored, and this with its rules one piece further.
    async fn judge(mut self, store: &Store, closed: Vec<Closed>) -> Result<(Turn, Running), StoreError> {
        let quiet = Quiet::read(store).await?;
        let newest = closed.last().map_or(self.cursor, |bucket| bucket.index);
        let (turn, judging) = tokio::task::spawn_blocking({
            let mut judging = self.judging;
            move || (judging.judge(closed, &quiet), judging)
        })
        .await?;
        (self.judging, self.cursor) = (judging, newest);
        Ok((turn, self))
    }
}

impl Judging {
    /// Whether every live node's sample is among them.
    fn is_complete(&self, rows: &[Packed]) -> bool {
        let mut live = self.nodes.iter().flatten().peekable();
        // Until nodes are known, patience decides.
        live.peek().is_some() && live.all(|node| rows.iter().any(|row| row.node == *node))
    }

    fn saw(&mut self, rows: &[Packed]) {
        self.nodes.push_back(rows.iter().map(|row| row.node.clone()).collect());
        if self.nodes.len() > LIVE {
            self.nodes.pop_front();
        }
    }

    fn judge(&mut self, closed: Vec<Closed>, quiet: &Quiet) -> Turn {
        let mut turn = Turn::default();
        let mut newest = None;
        let mut peaks: BTreeMap<String, f64> = BTreeMap::new();
        for Closed { index, rows } in closed {
            let at = (index + 1) * BUCKET * 1_000;
            (turn.at, newest) = (at, Some(index));
            for rule in self.watched.iter_mut().filter(|rule| !rule.by_minutes()) {
                turn.steps.extend(rule.judge(index, &rows));
            }
            let minute = index.div_euclid(PER_MINUTE);
            self.minute.retain(|kept, _| kept.div_euclid(PER_MINUTE) == minute);
            self.minute.insert(index, rows);
            if (index + 1) % PER_MINUTE == 0 {
                let rows: Vec<Packed> = std::mem::take(&mut self.minute).into_values().flatten().collect();
                for rule in self.watched.iter_mut().filter(|rule| rule.by_minutes()) {
                    turn.steps.extend(rule.judge(minute, &rows));
                }
            }
            self.mute(&mut turn, quiet, at);
            peaks.extend(self.watched.iter_mut().filter_map(Watched::peak));
            // One that is resolved has no open incident, and the next one a peak of its own.
            peaks.retain(|rule, _| self.watched.iter().any(|one| one.name() == rule && one.fires()));
        }
        turn.peaks.extend(peaks);
        if let Some(newest) = newest {
            turn.states.extend(self.watched.iter().map(|rule| rule.row(newest)));
        }
        turn
    }

    fn mute(&mut self, turn: &mut Turn, quiet: &Quiet, at: i64) {
        let firing: BTreeSet<String> =
            self.watched.iter().filter(|rule| rule.fires()).map(|rule| rule.name().to_owned()).collect();
        for rule in &mut self.watched {
            let parent = rule.entry.rule.depends_on.as_ref().is_some_and(|parent| firing.contains(parent));
            turn.steps.extend(rule.mute(quiet, parent, at));
        }
    }
}
