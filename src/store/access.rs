//! API keys, what tickets are signed with, and sign-ins that ended before their time was over.

use super::seconds;
use chrono::{DateTime, Utc};
use sqlx::PgPool;

/// A key: its id, the digest of its secret, its scopes.
pub struct StoredKey {
    pub id: String,
    pub digest: Vec<u8>,
    pub scopes: Vec<String>,
    pub revoked: bool,
}

/// All keys, the revoked ones too: that there was one is what closes the server.
pub async fn keys(pool: &PgPool) -> sqlx::Result<Vec<StoredKey>> {
    sqlx::query_as!(
        StoredKey,
        r#"SELECT id, digest, scopes, revoked_at IS NOT NULL AS "revoked!" FROM api_keys"#
    )
    .fetch_all(pool)
    .await
}

pub async fn add_key(
    pool: &PgPool,
    id: &str,
    name: &str,
    digest: &[u8],
    scopes: &[String],
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO api_keys (id, name, digest, scopes) VALUES ($1, $2, $3, $4)",
        id,
        name,
        digest,
        scopes
    )
    .execute(pool)
    .await
    .map(drop)
}

/// A key as an operator sees it.
pub struct ListedKey {
    pub id: String,
    pub name: String,
    pub scopes: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
}

pub async fn list_keys(pool: &PgPool) -> sqlx::Result<Vec<ListedKey>> {
    sqlx::query_as!(
        ListedKey,
        "SELECT id, name, scopes, created_at, revoked_at FROM api_keys ORDER BY created_at"
    )
    .fetch_all(pool)
    .await
}

/// `false`: there is no such key, or it is revoked already.
pub async fn revoke_key(pool: &PgPool, id: &str) -> sqlx::Result<bool> {
    let done =
        sqlx::query!("UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL", id)
            .execute(pool)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// The secret of that name; `fresh` becomes it if there is none yet. All nodes get the same.
pub async fn signing_secret(pool: &PgPool, name: &str, fresh: &[u8]) -> sqlx::Result<Vec<u8>> {
    sqlx::query!(
        "INSERT INTO signing_secrets (name, secret) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        name,
        fresh
    )
    .execute(pool)
    .await?;
    sqlx::query_scalar!("SELECT secret FROM signing_secrets WHERE name = $1", name).fetch_one(pool).await
}

/// Remembers that these sign-ins are over: their ids, and when their cookies expire (Unix seconds).
pub async fn end_sign_ins(pool: &PgPool, ended: &[(String, i64)]) -> sqlx::Result<()> {
    let (ids, expire): (Vec<String>, Vec<DateTime<Utc>>) =
        ended.iter().map(|(id, exp)| (id.clone(), seconds(*exp))).unzip();
    sqlx::query!(
        "INSERT INTO ended_sign_ins (id, expires_at) SELECT * FROM unnest($1::text[], $2::timestamptz[])
         ON CONFLICT (id) DO NOTHING",
        &ids,
        &expire
    )
    .execute(pool)
    .await
    .map(drop)
}

/// At most `most` of them, those that expire last: ids, and when their cookies expire (Unix seconds).
pub async fn ended_sign_ins(pool: &PgPool, most: i64) -> sqlx::Result<Vec<(String, i64)>> {
    let rows =
        sqlx::query!("SELECT id, expires_at FROM ended_sign_ins ORDER BY expires_at DESC LIMIT $1", most)
            .fetch_all(pool)
            .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.expires_at.timestamp())).collect())
}

/// Forgets those whose cookies expired an hour ago, as much as clocks may differ, and those beyond `most`.
pub async fn forget_sign_ins(pool: &PgPool, most: i64) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM ended_sign_ins WHERE expires_at < now() - interval '1 hour'
         OR id IN (SELECT id FROM ended_sign_ins ORDER BY expires_at DESC OFFSET $1)",
        most
    )
    .execute(pool)
    .await
    .map(drop)
}
