//! Who may do what. Without a key, everything is open, and the server listens on loopback only; with the first key,
//! publishers and admins need one, and followers need a ticket.

mod chance; // secrets from the operating system
mod keys; // API keys against their digests
mod throttle; // whoever guesses is slowed down
mod tickets; // signed claims of followers, and the cookie of admins

pub use chance::random;
pub use keys::{digest, fresh_key, same};
pub use tickets::Signer;

use crate::{clock, store};
use keys::Keys;
use sqlx::PgPool;
use std::{
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use streamgauge_core::{
    access::{ApiKey, BadTicket, Claims, Scope},
    ids::SessionId,
};
use throttle::Throttle;

/// Cloning shares it.
#[derive(Clone, Default)]
pub struct Access(Arc<Inner>);

#[derive(Default)]
struct Inner {
    door: RwLock<Door>,
    throttle: Throttle,
}

#[derive(Clone, Default)]
enum Door {
    /// The keys were never read. Nobody is let in: a database that is away must not open what is closed.
    #[default]
    Unknown,
    /// There never was a key.
    Open,
    Closed(Arc<Closed>),
}

/// What is needed to check anybody.
struct Closed {
    keys: Keys,
    signer: Signer,
}

impl Closed {
    /// Whether it is the cookie of somebody whose key still opens dashboards.
    fn is_admin(&self, cookie: &str) -> bool {
        let key = self.signer.admin(cookie, clock::now_ms() / 1_000);
        let scopes = key.and_then(|id| self.keys.scopes_of(&id));
        scopes.is_some_and(|scopes| scopes.iter().any(|has| has.opens(Scope::Admin)))
    }
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// It brought nothing.
    Missing,
    /// What it brought is wrong.
    Wrong,
    /// Good, but for something else.
    Forbidden,
    Ticket(BadTicket),
    /// Too many wrong ones came from there lately.
    Throttled,
    /// The keys could not be read yet.
    Unknown,
}

/// What a request brings to be let in by.
#[derive(Clone, Copy)]
pub struct Brought<'a> {
    /// A key or a ticket; the signed cookie for admins.
    pub token: Option<&'a str>,
    pub address: Option<IpAddr>,
}

/// A follower that was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Whose streams are counted together.
    pub subject: Option<String>,
    /// How long the ticket still lives.
    pub expires_in: Duration,
}

impl Access {
    /// Reads the keys anew. Closed once there is one, also when all are revoked: that must not open everything.
    pub async fn refresh(&self, pool: &PgPool) -> sqlx::Result<()> {
        let stored = store::keys(pool).await?;
        let door = self.door();
        if stored.is_empty() && !matches!(door, Door::Closed(_)) {
            self.set(Door::Open);
            return Ok(());
        }
        let signer = match &door {
            Door::Closed(closed) => closed.signer.clone(),
            Door::Unknown | Door::Open => {
                let fresh = random::<32>().map_err(sqlx::Error::Io)?;
                Signer::new(&store::signing_secret(pool, "tickets", &fresh).await?)
            }
        };
        if !matches!(door, Door::Closed(_)) {
            tracing::info!("access is closed: publishers and admins need a key, followers a ticket");
        }
        self.set(Door::Closed(Arc::new(Closed { keys: Keys::of(stored), signer })));
        Ok(())
    }

    /// Anybody who can connect may do everything.
    pub fn is_open(&self) -> bool {
        matches!(self.door(), Door::Open)
    }

    pub fn is_closed(&self) -> bool {
        matches!(self.door(), Door::Closed(_))
    }

    fn door(&self) -> Door {
        self.0.door.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, door: Door) {
        *self.0.door.write().unwrap_or_else(PoisonError::into_inner) = door;
    }

    /// `None`: open.
    fn closed(&self) -> Result<Option<Arc<Closed>>, Denied> {
        match self.door() {
            Door::Unknown => Err(Denied::Unknown),
            Door::Open => Ok(None),
            Door::Closed(closed) => Ok(Some(closed)),
        }
    }

    /// Lets a publisher, an admin or a scraper in.
    pub fn check(&self, scope: Scope, brought: Brought<'_>) -> Result<(), Denied> {
        let Some(closed) = self.closed()? else { return Ok(()) };
        let token = brought.token.ok_or(Denied::Missing)?;
        self.tried(brought.address, || match closed.keys.scopes(token) {
            Some(scopes) if scopes.iter().any(|has| has.opens(scope)) => Ok(()),
            Some(_) => Err(Denied::Forbidden),
            None if Scope::Admin.opens(scope) && closed.is_admin(token) => Ok(()),
            None => Err(Denied::Wrong),
        })
    }

    /// Lets a follower of the session in. `None`: access is open.
    pub fn follow(&self, session: &SessionId, brought: Brought<'_>) -> Result<Option<Admitted>, Denied> {
        let Some(closed) = self.closed()? else { return Ok(None) };
        let token = brought.token.ok_or(Denied::Missing)?;
        self.tried(brought.address, || {
            let claims = closed.signer.claims(token).map_err(Denied::Ticket)?;
            let left = claims.admits(session, clock::now_ms() / 1_000).map_err(Denied::Ticket)?;
            Ok(Some(Admitted { subject: claims.sub, expires_in: Duration::from_secs(left.into()) }))
        })
    }

    /// A ticket for followers; `None` while access is open.
    pub fn ticket(&self, claims: &Claims) -> Option<String> {
        self.closed().ok()?.map(|closed| closed.signer.sign(claims))
    }

    /// What an admin's browser carries after it showed a key with that scope. `lives`: seconds.
    pub fn admin_cookie(&self, key: &str, lives: i64) -> Option<String> {
        let closed = self.closed().ok()??;
        Some(closed.signer.sign_admin(&ApiKey::parse(key)?.id, clock::now_ms() / 1_000 + lives))
    }

    /// Counts a wrong one, and says no more about it once too many came from the address. What is right is let in all the
    /// same: behind a proxy all have one address, and keys and tickets are too long to be found by guessing.
    fn tried<T>(
        &self,
        address: Option<IpAddr>,
        check: impl FnOnce() -> Result<T, Denied>,
    ) -> Result<T, Denied> {
        check().map_err(|denied| {
            // An expired ticket is no guess.
            if !matches!(denied, Denied::Wrong | Denied::Ticket(BadTicket::Forged)) {
                return denied;
            }
            if self.0.throttle.is_spent(address) {
                return Denied::Throttled;
            }
            self.0.throttle.count(address);
            denied
        })
    }
}
