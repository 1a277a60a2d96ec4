//! Who evaluates. The elected node adds one to the epoch and writes only while the epoch is its own, which each write asks
//! under a lock: a node that was frozen while another one took over writes nothing when it wakes up.

use chrono::{DateTime, Utc};
use sqlx::{PgPool, Postgres, Transaction};

/// What a write of the evaluator must find unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence {
    pub epoch: i64,
    /// Rules as the evaluator has read them: what it decided by other ones is not stored.
    pub rules_revision: i64,
    /// How many turns were stored before.
    pub turn: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evaluator {
    pub epoch: i64,
    /// Empty: nobody ever was.
    pub node: String,
    /// Unix milliseconds.
    pub evaluated_at: Option<i64>,
    pub turn: i64,
    pub rules_revision: i64,
    pub revision: i64,
    pub seeded: bool,
}

impl Evaluator {
    pub fn fence(&self) -> Fence {
        Fence { epoch: self.epoch, rules_revision: self.rules_revision, turn: self.turn }
    }
}

pub(super) async fn read(pool: &PgPool) -> sqlx::Result<Evaluator> {
    let row = sqlx::query_as!(
        Columns,
        "SELECT epoch, node, evaluated_at, turn, rules_revision, revision, seeded FROM alert_evaluator"
    );
    Ok(row.fetch_one(pool).await?.into())
}

pub(super) async fn take_over(pool: &PgPool, node: &str) -> sqlx::Result<Evaluator> {
    let row = sqlx::query_as!(
        Columns,
        "UPDATE alert_evaluator SET epoch = epoch + 1, revision = revision + 1, node = $1
         RETURNING epoch, node, evaluated_at, turn, rules_revision, revision, seeded",
        node
    );
    Ok(row.fetch_one(pool).await?.into())
}

struct Columns {
    epoch: i64,
    node: String,
    evaluated_at: Option<DateTime<Utc>>,
    turn: i64,
    rules_revision: i64,
    revision: i64,
    seeded: bool,
}

impl From<Columns> for Evaluator {
    fn from(row: Columns) -> Evaluator {
        Evaluator {
            epoch: row.epoch,
            node: row.node,
            evaluated_at: row.evaluated_at.map(|at| at.timestamp_millis()),
            turn: row.turn,
            rules_revision: row.rules_revision,
            revision: row.revision,
            seeded: row.seeded,
        }
    }
}

/// Whether the fence stands. It stays so until the transaction ends: the row is locked.
pub(super) async fn holds(transaction: &mut Transaction<'_, Postgres>, fence: Fence) -> sqlx::Result<bool> {
    let changed = sqlx::query!(
        "UPDATE alert_evaluator SET revision = revision + 1 WHERE epoch = $1 AND rules_revision = $2 AND turn = $3",
        fence.epoch,
        fence.rules_revision,
        fence.turn,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(changed.rows_affected() == 1)
}
