//! API keys, what tickets are signed with, and sign-ins that ended before their time was over.

use super::{Store, StoreError, audit, seconds};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgPool;
use streamgauge_core::access::{
    Actor,
    audit::{Action, Change},
};

/// API keys, what tickets are signed with, and ended sign-ins.
pub struct AccessRows<'a>(&'a Store);

impl Store {
    pub fn access(&self) -> AccessRows<'_> {
        AccessRows(self)
    }
}

/// A key: its id, its name, the digest of its secret, its scopes.
pub struct StoredKey {
    pub id: String,
    pub name: String,
    pub digest: Vec<u8>,
    pub scopes: Vec<String>,
    pub revoked: bool,
}

/// An admin who signed out.
#[derive(Clone, Debug, PartialEq)]
pub struct SignOut {
    /// Of the sign-in that is over.
    pub id: String,
    /// When its cookie expires, Unix seconds.
    pub exp: i64,
    pub actor: Actor,
}

/// A key as an operator sees it.
pub struct ListedKey {
    pub id: String,
    pub name: String,
    pub scopes: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// What lets people in is read also while PostgreSQL seems unreachable: without it nobody is let in.
impl AccessRows<'_> {
    /// All keys, the revoked ones too: that there was one is what closes the server.
    pub async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        let rows = sqlx::query_as!(
            StoredKey,
            r#"SELECT id, name, digest, scopes, revoked_at IS NOT NULL AS "revoked!" FROM api_keys"#
        );
        self.0.try_anyway("read keys", rows.fetch_all(self.0.pool())).await
    }

    pub async fn add_key(
        &self,
        id: &str,
        name: &str,
        digest: &[u8],
        scopes: &[String],
        actor: &Actor,
    ) -> Result<(), StoreError> {
        let work = async {
            let mut transaction = self.0.pool().begin().await?;
            sqlx::query!(
                "INSERT INTO api_keys (id, name, digest, scopes) VALUES ($1, $2, $3, $4)",
                id,
                name,
                digest,
                scopes
            )
            .execute(&mut *transaction)
            .await?;
            let new = json!({ "name": name, "scopes": scopes });
            audit::write(&mut transaction, actor, &of_key(Action::CreateKey, id, None, Some(new))).await?;
            transaction.commit().await
        };
        self.0.ask("add key", work).await
    }

    pub async fn list_keys(&self) -> Result<Vec<ListedKey>, StoreError> {
        let rows = sqlx::query_as!(
            ListedKey,
            "SELECT id, name, scopes, created_at, revoked_at FROM api_keys ORDER BY created_at"
        );
        self.0.ask("list keys", rows.fetch_all(self.0.pool())).await
    }

    /// `false`: there is no such key, or it is revoked already.
    pub async fn revoke_key(&self, id: &str, actor: &Actor) -> Result<bool, StoreError> {
        self.0.ask("revoke key", revoke_key(self.0.pool(), id, actor)).await
    }

    /// The secret of that name; `fresh` becomes it if there is none yet. All nodes get the same.
    pub async fn signing_secret(&self, name: &str, fresh: &[u8]) -> Result<Vec<u8>, StoreError> {
        let secret = async {
            sqlx::query!(
                "INSERT INTO signing_secrets (name, secret) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
                name,
                fresh
            )
            .execute(self.0.pool())
            .await?;
            let secret = sqlx::query_scalar!("SELECT secret FROM signing_secrets WHERE name = $1", name);
            secret.fetch_one(self.0.pool()).await
        };
        self.0.try_anyway("read signing secret", secret).await
    }

    /// Remembers that these sign-ins are over. One that PostgreSQL has already is left as it is.
    pub async fn end_sign_ins(&self, ended: &[SignOut]) -> Result<(), StoreError> {
        self.0.try_anyway("end sign-ins", end_sign_ins(self.0.pool(), ended)).await
    }

    /// At most `most` of them, those that expire last: ids, and when their cookies expire (Unix seconds).
    pub async fn ended_sign_ins(&self, most: i64) -> Result<Vec<(String, i64)>, StoreError> {
        let rows =
            sqlx::query!("SELECT id, expires_at FROM ended_sign_ins ORDER BY expires_at DESC LIMIT $1", most);
        let rows = self.0.try_anyway("read ended sign-ins", rows.fetch_all(self.0.pool())).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.expires_at.timestamp())).collect())
    }

    /// Forgets those whose cookies expired an hour ago, as much as clocks may differ, and those beyond `most`.
    pub async fn forget_sign_ins(&self, most: i64) -> Result<(), StoreError> {
        let rows = sqlx::query!(
            "DELETE FROM ended_sign_ins WHERE expires_at < now() - interval '1 hour'
         OR id IN (SELECT id FROM ended_sign_ins ORDER BY expires_at DESC OFFSET $1)",
            most
        );
        self.0.try_anyway("forget sign-outs", rows.execute(self.0.pool())).await.map(drop)
    }
}

fn of_key(
    action: Action,
    id: &str,
    old: Option<serde_json::Value>,
    new: Option<serde_json::Value>,
) -> Change {
    Change { action, object: format!("key/{id}"), old, new }
}

async fn revoke_key(pool: &PgPool, id: &str, actor: &Actor) -> sqlx::Result<bool> {
    let mut transaction = pool.begin().await?;
    let row = sqlx::query!(
        "UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING name, scopes",
        id
    );
    let Some(row) = row.fetch_optional(&mut *transaction).await? else { return Ok(false) };
    let old = json!({ "name": row.name, "scopes": row.scopes });
    audit::write(&mut transaction, actor, &of_key(Action::RevokeKey, id, Some(old), None)).await?;
    transaction.commit().await?;
    Ok(true)
}

async fn end_sign_ins(pool: &PgPool, ended: &[SignOut]) -> sqlx::Result<()> {
    let (ids, expire): (Vec<String>, Vec<DateTime<Utc>>) =
        ended.iter().map(|sign_out| (sign_out.id.clone(), seconds(sign_out.exp))).unzip();
    let mut transaction = pool.begin().await?;
    let added = sqlx::query_scalar!(
        "INSERT INTO ended_sign_ins (id, expires_at) SELECT * FROM unnest($1::text[], $2::timestamptz[])
         ON CONFLICT (id) DO NOTHING RETURNING id",
        &ids,
        &expire
    )
    .fetch_all(&mut *transaction)
    .await?;
    for sign_out in ended.iter().filter(|sign_out| added.contains(&sign_out.id)) {
        // The id of the sign-in would say nothing: it stands in no other row that is kept.
        let object = sign_out.actor.key().map_or_else(String::new, |key| format!("key/{key}"));
        let change = Change { action: Action::SignOut, object, old: None, new: None };
        audit::write(&mut transaction, &sign_out.actor, &change).await?;
    }
    transaction.commit().await
}
