//! Rows of `audit`: who changed what. A change writes its row in its own transaction, so that neither is stored without the
//! other. Rows are only added and kept for ever; a trigger of the table refuses anything else.

use super::{Store, StoreError, millis};
use chrono::{DateTime, Utc};
use sqlx::{PgPool, Postgres, Transaction};
use streamgauge_core::access::{
    Actor,
    audit::{AuditActor, AuditEntry, AuditList, AuditRow, Change},
};

/// The audit log.
pub struct Audit<'a>(&'a Store);

impl Store {
    pub fn audit(&self) -> Audit<'_> {
        Audit(self)
    }
}

impl Audit<'_> {
    /// The newest rows, or those before the row with the id `before`.
    pub async fn list(&self, before: Option<i64>, most: u32) -> Result<AuditList, StoreError> {
        self.0.ask("read audit log", list(self.0.pool(), before, most)).await
    }
}

/// Writes the row of a change that this transaction makes.
pub(super) async fn write(
    transaction: &mut Transaction<'_, Postgres>,
    actor: &Actor,
    change: &Change,
) -> sqlx::Result<()> {
    insert(transaction, None, actor, change).await
}

/// Writes the row of a change that was made before, outside PostgreSQL.
pub(super) async fn write_entry(
    transaction: &mut Transaction<'_, Postgres>,
    entry: &AuditEntry,
) -> sqlx::Result<()> {
    insert(transaction, Some(millis(entry.at)), &entry.actor, &entry.change).await
}

async fn insert(
    transaction: &mut Transaction<'_, Postgres>,
    at: Option<DateTime<Utc>>,
    actor: &Actor,
    change: &Change,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO audit (at, actor_kind, actor_name, actor_key, actor_user, address, role, action, object,
                            old_value, new_value)
         VALUES (coalesce($1, now()), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        at,
        actor.kind(),
        actor.name(),
        actor.key(),
        actor.user(),
        actor.address.map(|address| address.to_canonical().to_string()),
        actor.role.map(|role| role.as_str()),
        change.action.as_str(),
        change.object,
        change.old.as_ref(),
        change.new.as_ref(),
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn list(pool: &PgPool, before: Option<i64>, most: u32) -> sqlx::Result<AuditList> {
    let rows = sqlx::query!(
        "SELECT id, at, actor_kind, actor_name, actor_key, actor_user, address, role, action, object, old_value,
                new_value
         FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2",
        before.unwrap_or(i64::MAX),
        i64::from(most) + 1,
    )
    .fetch_all(pool)
    .await?;
    let rows = rows.into_iter().map(|row| AuditRow {
        id: row.id,
        at: row.at.timestamp_millis(),
        actor: AuditActor {
            kind: row.actor_kind,
            name: row.actor_name,
            key: row.actor_key,
            user: row.actor_user,
            address: row.address,
            role: row.role,
        },
        action: row.action,
        object: row.object,
        old: row.old_value,
        new: row.new_value,
    });
    Ok(AuditList::page(rows.collect(), usize::try_from(most).unwrap_or(usize::MAX)))
}
