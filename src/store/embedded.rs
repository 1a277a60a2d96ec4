//! A private PostgreSQL in the data folder, if none is configured: started, kept alive and stopped with the server.

use crate::stop::stopped;
use private_postgres::{Error, Postgres, Started};
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{self, File},
    path::Path,
    time::Duration,
};
use tokio::sync::watch;

/// How often it is checked.
const ROUND: Duration = Duration::from_secs(2);

pub struct Private {
    postgres: Postgres,
    /// Held open: its lock says that this data folder has a server.
    _lock: File,
}

#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    #[error("the data folder {0} cannot be used: {1}.")]
    Folder(String, std::io::Error),
    #[error("the data folder {0} is in use by another streamgauge; give this one its own --data-dir.")]
    InUse(String),
    #[error(transparent)]
    Postgres(#[from] Error),
    #[error("the task that starts PostgreSQL broke off: {0}.")]
    Task(#[from] tokio::task::JoinError),
}

impl Private {
    /// Takes the folder, and starts or adopts its PostgreSQL: one that a killed server left behind still runs.
    pub async fn start(data_dir: &Path) -> Result<Private, PrivateError> {
        let folder = data_dir.to_owned();
        tokio::task::spawn_blocking(move || {
            let named = || folder.display().to_string();
            let in_folder = |error| PrivateError::Folder(named(), error);
            fs::create_dir_all(&folder).map_err(in_folder)?;
            let lock = File::create(folder.join("lock")).map_err(in_folder)?;
            flock(&lock, FlockOperation::NonBlockingLockExclusive)
                .map_err(|_| PrivateError::InUse(named()))?;
            let postgres = Postgres::at(&folder.join("postgres"))?;
            match postgres.start()? {
                Started::New => tracing::info!(folder = %folder.display(), "made a private PostgreSQL"),
                Started::Started => tracing::info!("started the private PostgreSQL"),
                Started::Adopted => tracing::info!("adopted the private PostgreSQL that was still running"),
            }
            Ok(Private { postgres, _lock: lock })
        })
        .await?
    }

    /// Deletes a data folder with its database. It must not be in use; a PostgreSQL that a killed server left behind is
    /// stopped first. `false`: there is no such folder.
    pub fn remove(data_dir: &Path) -> Result<bool, PrivateError> {
        let named = || data_dir.display().to_string();
        let in_folder = |error| PrivateError::Folder(named(), error);
        if !data_dir.join("postgres").exists() {
            return Ok(false);
        }
        let lock = File::create(data_dir.join("lock")).map_err(in_folder)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| PrivateError::InUse(named()))?;
        let postgres = Postgres::at(&data_dir.join("postgres"))?;
        if postgres.is_running() {
            postgres.stop()?;
        }
        fs::remove_dir_all(data_dir).map_err(in_folder)?;
        Ok(true)
    }

    pub fn url(&self) -> String {
        self.postgres.url()
    }

    /// Restarts it whenever it is gone, until `stop`; then stops it.
    pub async fn keep(self, mut stop: watch::Receiver<bool>) {
        while tokio::time::timeout(ROUND, stopped(&mut stop)).await.is_err() {
            if self.postgres.is_running() {
                // Followers wait for events, but nothing waits for a row.
                self.postgres.give_way();
                continue;
            }
            tracing::warn!("the private PostgreSQL is gone; starting it again");
            if let Err(error) = self.blocking(|postgres| postgres.start().map(drop)).await {
                tracing::error!(%error, "the private PostgreSQL does not start; trying again");
            }
        }
        self.stop().await;
    }

    /// Stops an adopted one too: no other server uses this folder.
    pub async fn stop(&self) {
        if let Err(error) = self.blocking(|postgres| postgres.stop()).await {
            tracing::error!(%error, "the private PostgreSQL did not stop");
        }
    }

    async fn blocking(
        &self,
        work: impl FnOnce(&Postgres) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), PrivateError> {
        let postgres = self.postgres.clone();
        Ok(tokio::task::spawn_blocking(move || work(&postgres)).await??)
    }
}
