//! Connects, migrates, writes what waits, and says how it goes. The only task that writes.

use super::{
    Endings, MIGRATIONS, StoreError, Unusable, WriteBehind,
    bisect::{Bisect, leave_out},
    commit_check::{Doubt, Noted},
    error::is_refused,
    leader, nodes, samples, sessions,
};
use crate::{
    clock,
    measure::{Journal, Recorder},
    stop::stopped,
    telemetry::{Telemetry, database},
};
use sqlx::{
    Connection, PgConnection, PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use streamgauge_core::metric::measure::{counters::Counter, packed::Packed};
use tokio::sync::watch;

/// If no connection is to be had for this long, the database counts as unreachable.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two attempts to connect for the first time.
const BEFORE_RETRY: Duration = Duration::from_millis(100);
/// A database that stores nothing for this long hangs. A server that stops no longer waits for it.
const LAST_PATIENCE: Duration = Duration::from_secs(5);
/// At the end, the wait before an unanswered COMMIT is looked up.
const BEFORE_ASKING: Duration = Duration::from_millis(100);
/// How often the buffer is written.
const PERIOD: Duration = Duration::from_secs(1);
/// Rows and sessions of one write.
const BATCH: usize = 360;

/// State that one round of writing leaves for the next.
#[derive(Default)]
struct Kept {
    /// PostgreSQL keeps plans and caches by connection. Since when it is kept.
    connection: Option<(PoolConnection<Postgres>, Instant)>,
    doubt: Option<Doubt>,
}
/// The pool's own limit: after it a database that moved is found again.
const KEPT_FOR: Duration = Duration::from_secs(30 * 60);

#[derive(Clone, Debug, PartialEq)]
pub enum Health {
    /// Not connected for the first time yet.
    Starting,
    Good,
    /// Since when, Unix milliseconds.
    Away {
        since: i64,
    },
}

/// The database as the rest of the server sees it. Cloning shares it.
#[derive(Clone)]
pub struct Store {
    pool: PgPool,
    options: PgConnectOptions,
    leads: watch::Sender<bool>,
    write_behind: Arc<WriteBehind>,
    endings: Endings,
    health: Arc<Mutex<Health>>,
    node: String,
    run: i64,
}

impl Store {
    /// Connects when first needed. `run`: start of this process, Unix milliseconds.
    pub fn new(url: &str, node: &str, run: i64) -> Result<Store, Unusable> {
        let options: PgConnectOptions = url.parse().map_err(Unusable::Address)?;
        Unusable::before_connecting(&options)?;
        // A connection that hangs in a transaction holds locks, so PostgreSQL closes it.
        let options =
            options.application_name("streamgauge").options([("idle_in_transaction_session_timeout", "10s")]);
        let pool = PgPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(PATIENCE)
            // A broken connection fails only when used, so test it before handing it out.
            .test_before_acquire(true)
            .connect_lazy_with(options.clone());
        let health = Arc::new(Mutex::new(Health::Starting));
        let leads = watch::channel(false).0;
        let endings = Endings::new(pool.clone(), health.clone());
        let (write_behind, node) = (Arc::default(), node.to_owned());
        Ok(Store { pool, options, leads, write_behind, endings, health, node, run })
    }

    /// Runs one question or change as a step of the current trace, and counts its time as PostgreSQL's; not tried while
    /// PostgreSQL is unreachable. `name`: of the step.
    pub(super) async fn ask<T, E>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, StoreError>
    where
        StoreError: From<E>,
    {
        StoreError::check(&self.health())?;
        self.try_anyway(name, work).await
    }

    /// The same, but it also tries while PostgreSQL counts as unreachable.
    pub(super) async fn try_anyway<T, E>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, StoreError>
    where
        StoreError: From<E>,
    {
        Ok(database(name, work).await?)
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Ends all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Whether this node is the leader.
    pub fn leads(&self) -> bool {
        *self.leads.borrow()
    }

    /// Stands for election until `stop`.
    pub async fn lead(&self, stop: watch::Receiver<bool>) {
        leader::lead(self.options.clone(), self.leads.clone(), stop).await;
    }

    pub fn write_behind(&self) -> &WriteBehind {
        &self.write_behind
    }

    pub fn endings(&self) -> &Endings {
        &self.endings
    }

    pub fn health(&self) -> Health {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Brings the database to this version's shape.
    pub async fn migrate(&self) -> Result<(), Unusable> {
        // On a connection of its own, closed at the end: if the caller stops waiting, the lock that all nodes' migrations
        // need must not stay with a connection in the pool.
        let mut connection = self.reach().await?;
        MIGRATIONS.run_direct(None, &mut connection, false).await?;
        // The connection is not used again, so an error here does not matter.
        let _ = tokio::time::timeout(PATIENCE, connection.close()).await;
        self.set_health(Health::Good);
        Ok(())
    }

    /// Opens a connection outside the pool, and retries for a while if PostgreSQL does not accept it yet. The pool would
    /// retry too, but it does not say why it gave up.
    async fn reach(&self) -> Result<PgConnection, Unusable> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let connecting = PgConnection::connect_with(&self.options);
            let left = deadline.saturating_duration_since(Instant::now());
            let connected = tokio::time::timeout(left, connecting).await;
            match connected.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(Unusable::connecting) {
                Err(reason) if reason.is_absence() && Instant::now() + BEFORE_RETRY < deadline => {
                    tokio::time::sleep(BEFORE_RETRY).await;
                }
                connected => return connected,
            }
        }
    }

    /// Writes until `stop`, then once more. Migrates first, whenever the database appears.
    pub async fn run(&self, recorder: &Recorder, telemetry: &Telemetry, stop: watch::Receiver<bool>) {
        let (journal, mut kept) = (recorder.journal(), Kept::default());
        tokio::select! {
            () = self.rounds(recorder, telemetry, &mut kept, stop.clone()) => {}
            () = self.hanging(journal, stop) => {}
        }
        let (samples, all) = (self.write_behind.state().0, self.write_behind.left());
        let (others, marks) = (all - samples.min(all), journal.waiting());
        if all + marks > 0 {
            tracing::warn!(
                samples,
                others,
                marks,
                "PostgreSQL took no more before the end: what waited in the write-behind buffer is lost"
            );
        }
        if let Some(doubt) = &kept.doubt {
            tracing::warn!(
                rows = doubt.len(),
                "PostgreSQL did not say what became of the last: stored or lost"
            );
        }
        // The pool waits for every connection, the writer's own too.
        kept.connection = None;
        // All data is written. A long query of a job must not delay the end.
        let _ = tokio::time::timeout(PATIENCE, self.pool.close()).await;
    }

    async fn rounds(
        &self,
        recorder: &Recorder,
        telemetry: &Telemetry,
        kept: &mut Kept,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            let stopping = tokio::time::timeout(PERIOD, stopped(&mut stop)).await.is_ok();
            telemetry.job("store", async { self.judge(self.round(recorder, kept).await) }).await;
            if stopping && kept.doubt.is_none() {
                return;
            }
            if stopping {
                // The rows in doubt are looked up and perhaps written again, until that hangs too.
                tokio::time::sleep(BEFORE_ASKING).await;
            }
        }
    }

    /// Returns when the database stores nothing more after `stop`. A slow database is waited for.
    async fn hanging(&self, journal: &Journal, mut stop: watch::Receiver<bool>) {
        stopped(&mut stop).await;
        let mut left = usize::MAX;
        loop {
            let before = std::mem::replace(&mut left, self.write_behind.left() + journal.waiting());
            if left >= before {
                return;
            }
            tokio::time::sleep(LAST_PATIENCE).await;
        }
    }

    /// The kept connection, if it is good and not too old; else one of the pool's.
    async fn connection(&self, kept: &mut Kept) -> sqlx::Result<(PoolConnection<Postgres>, Instant)> {
        let kept = kept.connection.take().filter(|(_, since)| since.elapsed() < KEPT_FOR);
        if let Some((mut connection, since)) = kept {
            if matches!(tokio::time::timeout(PATIENCE, connection.ping()).await, Ok(Ok(()))) {
                return Ok((connection, since));
            }
            // The pool would test it once more, without a time limit.
            connection.close_on_drop();
        }
        Ok((self.pool.acquire().await?, Instant::now()))
    }

    async fn round(&self, recorder: &Recorder, kept: &mut Kept) -> Result<(), Unusable> {
        if self.health() == Health::Starting {
            self.migrate().await?;
        }
        // Run each time: an empty buffer must not hide a dead database.
        let (mut connection, since) = self.connection(kept).await?;
        self.write_behind.begin_round();
        loop {
            let notes = self.write_behind.take_sessions(BATCH);
            if notes.is_empty() {
                break;
            }
            let mut notes = Bisect::new(notes, BATCH);
            while let Some(part) = notes.part() {
                let written = database("write sessions", sessions::write(&mut connection, &part)).await;
                match notes.judge(part, written) {
                    Ok(refused) => leave_out(&self.write_behind, refused, |note| note.id.to_string()),
                    Err(error) => {
                        self.write_behind.back(notes.rest());
                        return Err(error.into());
                    }
                }
            }
        }
        loop {
            let waiting = self.write_behind.oldest_samples(BATCH);
            let Some(newest) = waiting.last() else { break };
            let mut late = 0;
            for sample in &waiting {
                let in_time =
                    match database("write a sample", self.write_sample(&mut connection, sample)).await {
                        Err(error) if is_refused(&error) => {
                            leave_out(&self.write_behind, Some((sample, error)), |sample| {
                                format!("{} {}", sample.region, sample.start)
                            });
                            true
                        }
                        written => written?,
                    };
                self.write_behind.written(std::slice::from_ref(sample));
                if !in_time {
                    recorder.add(Counter::RowsLate, 1);
                    late += 1;
                }
            }
            if late > 0 {
                tracing::warn!(
                    rows = late,
                    "samples came after the rows of their time were dropped: they are left out"
                );
            }
            nodes::seen(&mut connection, &self.node, self.run, newest.start + newest.step).await?;
        }
        let noted = Noted { node: &self.node, write_behind: &self.write_behind, journal: recorder.journal() };
        noted.write(&mut connection, &mut kept.doubt).await?;
        kept.connection = Some((connection, since));
        Ok(())
    }

    /// `false`: the sample came after the rows of its time were dropped, and is not stored.
    async fn write_sample(&self, connection: &mut PgConnection, sample: &Packed) -> sqlx::Result<bool> {
        // In one transaction with its roll-up mark.
        let mut transaction = connection.begin().await?;
        let in_time = samples::is_whole(&mut transaction, sample.step, sample.start).await?;
        if in_time {
            samples::write(&mut transaction, sample, self.run).await?;
        }
        transaction.commit().await?;
        Ok(in_time)
    }

    fn judge(&self, result: Result<(), Unusable>) {
        match (result, self.health()) {
            (Ok(()), Health::Away { .. }) => {
                tracing::info!("PostgreSQL is back and everything that waited is stored");
                self.set_health(Health::Good);
            }
            (Ok(()), _) => {}
            (Err(error), Health::Away { .. }) => tracing::debug!(%error, "PostgreSQL is still away"),
            (Err(error), Health::Starting) => tracing::warn!(%error, "PostgreSQL is not reachable yet"),
            (Err(error), Health::Good) => {
                tracing::warn!(%error, "PostgreSQL is away: streams go on, samples wait to be stored");
                self.set_health(Health::Away { since: clock::now_ms() });
            }
        }
    }

    fn set_health(&self, health: Health) {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = health;
    }
}
