//! Connects, migrates, writes what waits, and says how it goes. The only task that writes.

use super::{MIGRATIONS, Outbox, rollup, samples, sessions};
use crate::{clock, stop::stopped};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// A database that gives no connection for this long is away.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often what waits is written.
const PERIOD: Duration = Duration::from_secs(1);
/// Rows and sessions of one round.
const BATCH: usize = 360;

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
    outbox: Arc<Outbox>,
    health: Arc<Mutex<Health>>,
    node: String,
    run: i64,
}

impl Store {
    /// Connects when first needed. `run`: start of this process, Unix milliseconds.
    pub fn new(url: &str, node: &str, run: i64) -> sqlx::Result<Store> {
        let options: PgConnectOptions = url.parse()?;
        let options = options.application_name("streamgauge");
        let pool = PgPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(PATIENCE)
            // A connection that was cut shows only when used: ask before handing it out.
            .test_before_acquire(true)
            .connect_lazy_with(options);
        let health = Arc::new(Mutex::new(Health::Starting));
        Ok(Store { pool, outbox: Arc::default(), health, node: node.to_owned(), run })
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    pub fn health(&self) -> Health {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Brings the database to this version's shape.
    pub async fn migrate(&self) -> Result<(), sqlx::migrate::MigrateError> {
        MIGRATIONS.run(&self.pool).await?;
        self.set_health(Health::Good);
        Ok(())
    }

    /// Writes until `stop`, then once more. Migrates first, whenever the database appears.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut rolled = 0;
        loop {
            let stopping = tokio::time::timeout(PERIOD, stopped(&mut stop)).await.is_ok();
            let result = self.round(&mut rolled).await;
            self.judge(result);
            if stopping {
                self.pool.close().await;
                return;
            }
        }
    }

    async fn round(&self, rolled: &mut i64) -> sqlx::Result<()> {
        if self.health() == Health::Starting {
            self.migrate().await.map_err(|error| match error {
                sqlx::migrate::MigrateError::Execute(error) => error,
                other => sqlx::Error::Migrate(Box::new(other)),
            })?;
        }
        loop {
            let notes = self.outbox.take_sessions(BATCH);
            if notes.is_empty() {
                break;
            }
            if let Err(error) = sessions::write(&self.pool, &notes).await {
                self.outbox.back(notes);
                return Err(error);
            }
        }
        loop {
            let waiting = self.outbox.oldest_samples(BATCH);
            if waiting.is_empty() {
                break;
            }
            for sample in &waiting {
                samples::write(&self.pool, sample, self.run).await?;
                self.outbox.written(std::slice::from_ref(sample));
            }
        }
        // Everything older than the open bucket is written now, so what has closed can be merged.
        let closed = clock::now_ms() / 1_000 - 10;
        if closed / 60 != *rolled {
            rollup::run(&self.pool, &self.node, closed).await?;
            *rolled = closed / 60;
        }
        // An idle outbox must not hide a dead database.
        sqlx::query!("SELECT 1 AS one").fetch_one(&self.pool).await?;
        Ok(())
    }

    fn judge(&self, result: sqlx::Result<()>) {
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
