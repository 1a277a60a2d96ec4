//! API keys, what tickets are signed with, and sign-ins that ended before their time was over.

use super::{Store, StoreError, seconds};
use chrono::{DateTime, Utc};

/// API keys, what tickets are signed with, and ended sign-ins.
pub struct AccessRows<'a>(&'a Store);

impl Store {
    pub fn access(&self) -> AccessRows<'_> {
        AccessRows(self)
    }
}

/// A key: its id, the digest of its secret, its scopes.
pub struct StoredKey {
    pub id: String,
    pub digest: Vec<u8>,
    pub scopes: Vec<String>,
    pub revoked: bool,
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
            r#"SELECT id, digest, scopes, revoked_at IS NOT NULL AS "revoked!" FROM api_keys"#
        );
        self.0.try_anyway("read keys", rows.fetch_all(self.0.pool())).await
    }

    pub async fn add_key(
        &self,
        id: &str,
        name: &str,
        digest: &[u8],
        scopes: &[String],
    ) -> Result<(), StoreError> {
        let row = sqlx::query!(
            "INSERT INTO api_keys (id, name, digest, scopes) VALUES ($1, $2, $3, $4)",
            id,
            name,
            digest,
            scopes
        );
        self.0.ask("add key", row.execute(self.0.pool())).await.map(drop)
    }

    pub async fn list_keys(&self) -> Result<Vec<ListedKey>, StoreError> {
        let rows = sqlx::query_as!(
            ListedKey,
            "SELECT id, name, scopes, created_at, revoked_at FROM api_keys ORDER BY created_at"
        );
        self.0.ask("list keys", rows.fetch_all(self.0.pool())).await
    }

    /// `false`: there is no such key, or it is revoked already.
    pub async fn revoke_key(&self, id: &str) -> Result<bool, StoreError> {
        let row =
            sqlx::query!("UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL", id);
        let done = self.0.ask("revoke key", row.execute(self.0.pool())).await?;
        Ok(done.rows_affected() == 1)
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

    /// Remembers that these sign-ins are over: their ids, and when their cookies expire (Unix seconds).
    pub async fn end_sign_ins(&self, ended: &[(String, i64)]) -> Result<(), StoreError> {
        let (ids, expire): (Vec<String>, Vec<DateTime<Utc>>) =
            ended.iter().map(|(id, exp)| (id.clone(), seconds(*exp))).unzip();
        let rows = sqlx::query!(
            "INSERT INTO ended_sign_ins (id, expires_at) SELECT * FROM unnest($1::text[], $2::timestamptz[])
         ON CONFLICT (id) DO NOTHING",
            &ids,
            &expire
        );
        self.0.try_anyway("end sign-ins", rows.execute(self.0.pool())).await.map(drop)
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
