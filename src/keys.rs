//! `streamgauge key`: making, listing and revoking API keys, beside a server that runs or without one.

use crate::{
    access::{digest, fresh_key},
    store::{Store, StoreError, Unusable},
};
use private_postgres::{Postgres, Started};
use streamgauge_core::{
    access::{Actor, Scope},
    settings::table::Settings,
    text::is_label,
};

pub enum Task {
    Create { name: String, scopes: Vec<String> },
    List,
    Revoke { id: String },
}

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("name must have 1 to 64 characters and no control or invisible formatting characters.")]
    Name,
    #[error("scope is {0:?}, but must be publish, admin or metrics.")]
    Scope(String),
    #[error("there is no key {0:?}, or it is revoked already; `streamgauge key list` shows them.")]
    NoSuchKey(String),
    #[error("the database cannot be used: {0}.")]
    Database(#[from] StoreError),
    #[error("{0}.")]
    Unusable(#[from] Unusable),
    #[error("{0}")]
    Private(#[from] private_postgres::Error),
    #[error("the data folder cannot be made: {0}.")]
    Folder(#[from] std::io::Error),
}

impl KeyError {
    /// Whether the command line was wrong, rather than the world.
    pub fn is_usage(&self) -> bool {
        matches!(self, KeyError::Name | KeyError::Scope(_))
    }
}

/// Does it and answers what is to be printed.
pub fn run(settings: &Settings, task: Task) -> Result<String, KeyError> {
    if let Task::Create { name, scopes } = &task {
        if !is_label(name, 64) {
            return Err(KeyError::Name);
        }
        if let Some(bad) = scopes.iter().find(|scope| scope.parse::<Scope>().is_err()) {
            return Err(KeyError::Scope(bad.clone()));
        }
    }
    // First: what fails below would leave a PostgreSQL behind.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (url, private) = match &settings.database_url {
        Some(url) => (url.clone(), None),
        None => {
            std::fs::create_dir_all(&settings.data_dir)?;
            let postgres = Postgres::at(&settings.data_dir.join("postgres"))?;
            let ours = postgres.start()? != Started::Adopted;
            (postgres.url(), ours.then_some(postgres))
        }
    };
    let done = runtime.block_on(with_database(&url, task));
    drop(runtime);
    // One that a server uses stays; one that was started for this is stopped.
    if let Some(postgres) = private {
        postgres.stop()?;
    }
    done
}

async fn with_database(url: &str, task: Task) -> Result<String, KeyError> {
    let store = Store::new(url, "key", 0)?;
    store.migrate().await?;
    let (access, actor) = (store.access(), Actor::command_line(&operating_user()));
    let said = match task {
        Task::Create { name, scopes } => {
            let key = fresh_key()?;
            access.add_key(&key.id, &name, &digest(&key.secret), &scopes, &actor).await?;
            format!(
                "{}\n\nKeep it now: it is not shown again. It lets {name} {}.\n",
                key.reveal(),
                scopes.join(" and ")
            )
        }
        Task::List => {
            let mut lines =
                String::from("id                name                 scopes           made        revoked\n");
            for key in access.list_keys().await? {
                let revoked = key.revoked_at.map_or("-".into(), |at| at.format("%Y-%m-%d").to_string());
                lines += &format!(
                    "{}  {:<20} {:<16} {}  {revoked}\n",
                    key.id,
                    key.name,
                    key.scopes.join(","),
                    key.created_at.format("%Y-%m-%d")
                );
            }
            lines
        }
        Task::Revoke { id } => {
            if !access.revoke_key(&id, &actor).await? {
                return Err(KeyError::NoSuchKey(id));
            }
            format!("{id} is revoked. Servers that run refuse it within 5 s.\n")
        }
    };
    store.close().await;
    Ok(said)
}

/// The user of the operating system who runs this: by name, or by number where the machine has no name for it. Not from the
/// environment, which anybody sets.
fn operating_user() -> String {
    let uid = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    user_name(&users, uid).map_or_else(|| format!("uid {uid}"), str::to_owned)
}

/// `users`: as `/etc/passwd` has them, `NAME:PASSWORD:UID:…`.
fn user_name(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| is_label(name, 64))?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operating_systems_user_is_found_by_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\n# a comment\nann:x:1000:1000::/home/ann:/bin/sh\nbad\u{7}:x:7:7::/:/\n";
        let check = |uid, expected| assert_eq!(user_name(users, uid), expected, "{uid}");
        check(0, Some("root"));
        check(1_000, Some("ann"));
        check(7, None);
        check(8, None);
    }
}
