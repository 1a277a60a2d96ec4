//! Who may do what. Without a key, everything is open, and the server listens on loopback only; with the first key,
//! publishers and admins need one, and followers need a ticket.

mod ended; // sign-ins that ended before their time was over
mod keys; // API keys against their digests
mod throttle; // clients that guess are slowed down
mod tickets; // signed claims of followers, and the cookie of admins

pub use keys::{digest, fresh_key, same};
pub use tickets::Signer;

use crate::{
    chance::random,
    clock,
    store::{SignOut, Store, StoreError},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ended::{Ended, MOST};
use keys::{Key, Keys};
use std::{
    net::IpAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use streamgauge_core::{
    access::{Actor, ApiKey, BadTicket, Claims, Scope},
    session::ids::SessionId,
};
use throttle::Throttle;
use tickets::SignIn;

/// Cloning shares it.
#[derive(Clone, Default)]
pub struct Access(Arc<Inner>);

#[derive(Default)]
struct Inner {
    mode: RwLock<Mode>,
    /// Whether access is open, for what every request asks.
    is_open: AtomicBool,
    throttle: Throttle,
    ended: Ended,
}

/// Whether keys are asked for.
#[derive(Clone, Default)]
enum Mode {
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
    /// The key of that id, if it still opens dashboards.
    fn admin(&self, key: &str) -> Option<&Key> {
        self.keys.of_id(key).filter(|key| key.opens(Scope::Admin))
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
    /// A cookie of this server whose sign-in is over: it expired, its key was revoked, or the admin signed out.
    SignedOut,
    /// Too many wrong ones came from there lately.
    Throttled,
    /// The keys could not be read yet.
    Unknown,
}

/// Why the keys were not read.
#[derive(Debug, thiserror::Error)]
pub enum NotRead {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the operating system gives no randomness: {0}")]
    NoRandomness(std::io::Error),
}

/// What a request brings to be let in by.
#[derive(Clone, Copy)]
pub struct Brought<'a> {
    /// A key or a ticket.
    pub token: Option<&'a str>,
    /// An admin's signed cookie, which counts where there is no token.
    pub cookie: Option<&'a str>,
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
    pub async fn refresh(&self, store: &Store) -> Result<(), NotRead> {
        let stored = store.access().keys().await?;
        let mode = self.mode();
        if stored.is_empty() && !matches!(mode, Mode::Closed(_)) {
            self.set(Mode::Open);
            return Ok(());
        }
        let signer = match &mode {
            Mode::Closed(closed) => closed.signer.clone(),
            Mode::Unknown | Mode::Open => {
                let fresh = random::<32>().map_err(NotRead::NoRandomness)?;
                Signer::new(&store.access().signing_secret("tickets", &fresh).await?)
            }
        };
        if !matches!(mode, Mode::Closed(_)) {
            tracing::info!("access is closed: publishers and admins need a key, followers a ticket");
        }
        if let Err(error) = self.store_sign_outs(store).await {
            tracing::debug!(%error, "sign-outs could not be stored: they count on this node until they are");
        }
        // Before anybody is let in: a cookie that was ended before a restart must not open anything after it.
        self.0.ended.stored(store.access().ended_sign_ins(MOST).await?, clock::now_ms() / 1_000);
        self.set(Mode::Closed(Arc::new(Closed { keys: Keys::of(stored), signer })));
        Ok(())
    }

    /// Anybody who can connect may do everything.
    pub fn is_open(&self) -> bool {
        self.0.is_open.load(Relaxed)
    }

    pub fn is_closed(&self) -> bool {
        matches!(self.mode(), Mode::Closed(_))
    }

    fn mode(&self) -> Mode {
        self.0.mode.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, mode: Mode) {
        self.0.is_open.store(matches!(mode, Mode::Open), Relaxed);
        *self.0.mode.write().unwrap_or_else(PoisonError::into_inner) = mode;
    }

    /// `None`: open.
    fn closed(&self) -> Result<Option<Arc<Closed>>, Denied> {
        match self.mode() {
            Mode::Unknown => Err(Denied::Unknown),
            Mode::Open => Ok(None),
            Mode::Closed(closed) => Ok(Some(closed)),
        }
    }

    /// Who a publisher, an admin or a scraper is, if they may do what the scope says. The actor's address is the one that
    /// was brought.
    pub fn identify(&self, scope: Scope, brought: Brought<'_>) -> Result<Actor, Denied> {
        let Some(closed) = self.closed()? else { return Ok(Actor::local_user(brought.address)) };
        let key = self.tried(brought.address, || match (brought.token, brought.cookie) {
            (Some(token), _) => match closed.keys.find(token) {
                Some(key) if key.opens(scope) => Ok(key),
                Some(_) => Err(Denied::Forbidden),
                None => Err(Denied::Wrong),
            },
            (None, Some(cookie)) if Scope::Admin.opens(scope) => {
                self.signed_in(&closed, cookie).map(|(key, _)| key)
            }
            (None, _) => Err(Denied::Missing),
        })?;
        Ok(key.actor(brought.address))
    }

    /// The key by which somebody signed in, while their sign-in is not over.
    fn signed_in<'a>(&self, closed: &'a Closed, cookie: &str) -> Result<(&'a Key, SignIn), Denied> {
        let sign_in = closed.signer.sign_in(cookie).ok_or(Denied::Wrong)?;
        let goes_on = clock::now_ms() / 1_000 < sign_in.exp && !self.0.ended.holds(&sign_in.id);
        let key = closed.admin(&sign_in.admin).filter(|_| goes_on);
        key.map(|key| (key, sign_in)).ok_or(Denied::SignedOut)
    }

    /// Lets a follower of the session in. `None`: access is open.
    pub fn follow(&self, session: &SessionId, brought: Brought<'_>) -> Result<Option<Admitted>, Denied> {
        self.ticketed(brought, |claims, now| claims.admits(session, now))
    }

    /// Lets a follower of any session in. `None`: access is open.
    pub fn follow_any(&self, brought: Brought<'_>) -> Result<Option<Admitted>, Denied> {
        self.ticketed(brought, Claims::lives)
    }

    /// `admits`: how long the claims admit the request from now on, both in seconds.
    fn ticketed(
        &self,
        brought: Brought<'_>,
        admits: impl FnOnce(&Claims, i64) -> Result<u32, BadTicket>,
    ) -> Result<Option<Admitted>, Denied> {
        let Some(closed) = self.closed()? else { return Ok(None) };
        let token = brought.token.ok_or(Denied::Missing)?;
        self.tried(brought.address, || {
            let claims = closed.signer.claims(token).map_err(Denied::Ticket)?;
            let left = admits(&claims, clock::now_ms() / 1_000).map_err(Denied::Ticket)?;
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
        let sign_in = SignIn {
            admin: ApiKey::parse(key)?.id,
            id: URL_SAFE_NO_PAD.encode(random::<16>().ok()?),
            exp: clock::now_ms() / 1_000 + lives,
        };
        Some(closed.signer.sign_admin(&sign_in))
    }

    /// Ends the sign-in that the cookie stands for: at once on this node, on others once [`Access::store_sign_outs`] has
    /// stored it and they have read it. `None`: it stands for none, or for one that is over.
    pub fn sign_out(&self, cookie: &str, address: Option<IpAddr>) -> Option<Actor> {
        let closed = self.closed().ok()??;
        let (key, SignIn { id, exp, .. }) = self.signed_in(&closed, cookie).ok()?;
        let actor = key.actor(address);
        self.0.ended.end(SignOut { id, exp, actor: actor.clone() }, clock::now_ms() / 1_000);
        Some(actor)
    }

    /// Tells other nodes of the sign-outs that they do not know of. What fails is tried again with the next keys.
    pub async fn store_sign_outs(&self, store: &Store) -> Result<(), StoreError> {
        let unstored = self.0.ended.unstored();
        if !unstored.is_empty() {
            store.access().end_sign_ins(&unstored).await?;
            let stored = unstored.into_iter().map(|sign_out| (sign_out.id, sign_out.exp));
            self.0.ended.stored(stored, clock::now_ms() / 1_000);
        }
        Ok(())
    }

    /// Deletes from PostgreSQL what no node needs any more.
    pub async fn forget_sign_outs(&self, store: &Store) -> Result<(), StoreError> {
        store.access().forget_sign_ins(MOST).await
    }

    /// Counts a wrong one, and says no more about it once too many came from the address. What is right is let in all the
    /// same: behind a proxy all have one address, and keys and tickets are too long to be found by guessing.
    fn tried<T>(
        &self,
        address: Option<IpAddr>,
        check: impl FnOnce() -> Result<T, Denied>,
    ) -> Result<T, Denied> {
        check().map_err(|denied| {
            // An expired ticket is no guess, and neither is a cookie whose sign-in is over: its signature is right.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(key: &ApiKey) -> Access {
        let stored = crate::store::StoredKey {
            id: key.id.clone(),
            name: "ops".into(),
            digest: digest(&key.secret).to_vec(),
            scopes: vec!["admin".into()],
            revoked: false,
        };
        let access = Access::default();
        let signer = Signer::new(&[7; 32]);
        access.set(Mode::Closed(Arc::new(Closed { keys: Keys::of(vec![stored]), signer })));
        access
    }

    #[test]
    fn a_cookie_is_no_guess_once_its_signature_is_right() {
        let key = fresh_key().expect("chance");
        let access = closed(&key);
        let address = Some("192.0.2.1".parse().expect("an address"));
        let by = |cookie: &str| {
            access.identify(Scope::Admin, Brought { token: None, cookie: Some(cookie), address }).map(drop)
        };
        let good = access.admin_cookie(&key.reveal(), 60).expect("a cookie");
        let expired = access.admin_cookie(&key.reveal(), -1).expect("a cookie");
        let other = fresh_key().expect("chance");
        let revoked = access.admin_cookie(&other.reveal(), 60).expect("a cookie");
        let left = access.admin_cookie(&key.reveal(), 60).expect("a cookie");
        let signs_out = |cookie: &str| access.sign_out(cookie, address).is_some();
        assert!(signs_out(&left) && !signs_out(&left) && !signs_out(&expired));
        for _ in 0..100 {
            assert_eq!(by(&good), Ok(()));
            for over in [&expired, &revoked, &left] {
                assert_eq!(by(over), Err(Denied::SignedOut));
            }
        }
        let forged = format!("{good}A");
        let guesses: Vec<_> = (0..30).map(|_| by(&forged)).collect();
        assert_eq!((guesses[0], guesses[29]), (Err(Denied::Wrong), Err(Denied::Throttled)));
        assert_eq!(by(&good), Ok(()));
        assert_eq!(by(&expired), Err(Denied::SignedOut));
    }

    #[test]
    fn a_cookie_is_no_key_and_a_key_is_no_cookie() {
        let key = fresh_key().expect("chance");
        let access = closed(&key);
        let (secret, cookie) = (key.reveal(), access.admin_cookie(&key.reveal(), 60).expect("a cookie"));
        let check = |scope, token, cookie, expected| {
            let actor = access.identify(scope, Brought { token, cookie, address: None });
            assert_eq!(actor.map(|actor| actor.name().to_owned()), expected);
        };
        check(Scope::Admin, Some(&secret), None, Ok("ops".into()));
        check(Scope::Metrics, None, Some(&cookie), Ok("ops".into()));
        check(Scope::Admin, Some(&cookie), None, Err(Denied::Wrong));
        check(Scope::Admin, None, Some(&secret), Err(Denied::Wrong));
        check(Scope::Publish, None, Some(&cookie), Err(Denied::Missing));
        check(Scope::Admin, Some("sgk_no"), Some(&cookie), Err(Denied::Wrong));
    }
}
