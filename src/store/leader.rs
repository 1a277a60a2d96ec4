//! Elects the leader, the node that does the work of all nodes, by a session lock of PostgreSQL.
//!
//! The lock belongs to a connection of its own. A node that dies loses it with its sockets; one that hangs is cut
//! off by PostgreSQL after ten idle seconds. Either way another node leads within fifteen.

use crate::stop::stopped;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use std::time::Duration;
use tokio::sync::watch;

/// "Streamgauge jobs": any number that nobody else locks in this database.
const LOCK: i64 = 0x5347_6a6f_6273;
/// Between two attempts to be elected, and between two signs of life of the leader.
const PERIOD: Duration = Duration::from_secs(3);
/// Timeout of an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Tells, until `stop`, whether this node leads.
pub(super) async fn lead(
    options: PgConnectOptions,
    leads: watch::Sender<bool>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connection = None;
    loop {
        let elected = tokio::time::timeout(PATIENCE, ask(&options, &mut connection)).await;
        let elected = match elected {
            Ok(Ok(elected)) => elected,
            Ok(Err(error)) => {
                tracing::debug!(%error, "whether this node leads cannot be asked");
                connection = None;
                false
            }
            Err(_) => {
                connection = None;
                false
            }
        };
        if leads.send_if_modified(|leads| std::mem::replace(leads, elected) != elected) {
            let became = if elected {
                "became the leader, which runs the jobs of all nodes"
            } else {
                "lost the leadership"
            };
            tracing::info!("{became}");
        }
        if tokio::time::timeout(PERIOD, stopped(&mut stop)).await.is_ok() {
            leads.send_replace(false);
            // Closed properly, the lock is free at once.
            if let Some(connection) = connection {
                let _ = connection.close().await;
            }
            return;
        }
    }
}

async fn ask(options: &PgConnectOptions, held: &mut Option<PgConnection>) -> sqlx::Result<bool> {
    if held.is_none() {
        let options = options.clone().options([
            ("idle_session_timeout", "10000"),
            ("tcp_keepalives_idle", "5"),
            ("tcp_keepalives_interval", "2"),
            ("tcp_keepalives_count", "2"),
        ]);
        *held = Some(PgConnection::connect_with(&options).await?);
    }
    let Some(connection) = held else { return Ok(false) };
    // PostgreSQL counts a lock that the same connection takes twice, so it is requested only while it is not held.
    let row = sqlx::query!(
        r#"SELECT EXISTS (SELECT FROM pg_locks
                          WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted) OR pg_try_advisory_lock($1) AS "leads!""#,
        LOCK
    );
    Ok(row.fetch_one(connection).await?.leads)
}
