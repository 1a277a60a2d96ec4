//! Who may do what: API keys, the scopes they carry, and the tickets of followers.

use crate::session::ids::SessionId;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What an API key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Report status, and make tickets for followers.
    Publish,
    /// Dashboards, the admin API and its changes.
    Admin,
    /// Read `/metrics`, as a scraper does: nothing else.
    Metrics,
}

impl Scope {
    pub const ALL: [Scope; 3] = [Scope::Publish, Scope::Admin, Scope::Metrics];

    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Publish => "publish",
            Scope::Admin => "admin",
            Scope::Metrics => "metrics",
        }
    }

    /// Admins may read what they are shown anyway.
    pub fn opens(self, wanted: Scope) -> bool {
        self == wanted || (self == Scope::Admin && wanted == Scope::Metrics)
    }
}

impl FromStr for Scope {
    type Err = BadScope;

    fn from_str(text: &str) -> Result<Self, BadScope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(BadScope)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a scope is publish, admin or metrics")]
pub struct BadScope;

/// An API key as it is shown once and sent with each request: `sgk_<id>_<secret>`, 16 and 43 characters. The id finds
/// the key; only a digest of the secret is kept. 256 bits of chance need no slow hash.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: String,
    pub secret: String,
}

impl ApiKey {
    pub const ID: usize = 16;
    pub const SECRET: usize = 43;

    /// `None`: it does not even look like a key. Nothing is allocated for what is too long.
    pub fn parse(text: &str) -> Option<ApiKey> {
        if text.len() != "sgk_".len() + ApiKey::ID + 1 + ApiKey::SECRET {
            return None;
        }
        let (id, secret) = text.strip_prefix("sgk_")?.split_at_checked(ApiKey::ID)?;
        let secret = secret.strip_prefix('_')?;
        let good =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let hex = id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (hex && good(secret)).then(|| ApiKey { id: id.into(), secret: secret.into() })
    }

    /// The one time that it is shown.
    pub fn reveal(&self) -> String {
        format!("sgk_{}_{}", self.id, self.secret)
    }
}

/// Never the secret.
impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sgk_{}_…", self.id)
    }
}

/// What a ticket says: the claims of a JSON Web Token signed with HMAC-SHA-256, so that a back end may make them too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Whose streams are counted together. 1 to 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The sessions it is for, 1 to [`Claims::SESSIONS`].
    pub sessions: Vec<SessionId>,
    /// When it expires, Unix seconds.
    pub exp: i64,
}

/// Why a ticket does not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTicket {
    #[error("the ticket is not one of ours")]
    Forged,
    #[error("the ticket has expired")]
    Expired,
    #[error("the ticket is for another session")]
    Elsewhere,
}

impl Claims {
    pub const SESSIONS: usize = 16;
    /// Characters of a whole ticket.
    pub const LENGTH: usize = 4_096;
    /// Seconds that a ticket may live at most: what is signed cannot be called back.
    pub const LIVES: i64 = 86_400;

    /// Seconds that it still opens `session`. `now`: Unix seconds.
    pub fn admits(&self, session: &SessionId, now: i64) -> Result<u32, BadTicket> {
        if !self.sessions.contains(session) {
            return Err(BadTicket::Elsewhere);
        }
        self.lives(now)
    }

    /// Seconds that it still opens its sessions. `now`: Unix seconds.
    pub fn lives(&self, now: i64) -> Result<u32, BadTicket> {
        let left = self.exp.saturating_sub(now);
        if left <= 0 {
            return Err(BadTicket::Expired);
        }
        if left > Claims::LIVES {
            return Err(BadTicket::Forged);
        }
        u32::try_from(left).map_err(|_| BadTicket::Expired)
    }

    /// Whether what a signature vouches for is within its bounds.
    pub fn is_sane(&self) -> bool {
        (1..=Claims::SESSIONS).contains(&self.sessions.len())
            && self.sub.as_deref().is_none_or(|sub| crate::text::is_label(sub, 64))
    }
}

/// Longer addresses are no page of ours.
const LONGEST_WAY_BACK: usize = 2_000;

/// Where signing in leads: the page that was asked for, if it is one of this server's own, and else the Overview. What a
/// browser could take for another host's address (`//host`, `/\\host`) is not.
pub fn way_back(asked: Option<&str>) -> &str {
    let own = |path: &&str| {
        path.starts_with('/')
            && !path.starts_with("//")
            && path.len() <= LONGEST_WAY_BACK
            && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    asked.filter(own).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_recognised_by_its_shape_and_shown_without_its_secret() {
        let key = ApiKey { id: "0123456789abcdef".into(), secret: "A-_z".repeat(10) + "abc" };
        assert_eq!(ApiKey::parse(&key.reveal()), Some(key.clone()));
        assert_eq!(format!("{key:?}"), "sgk_0123456789abcdef_…");
        let text = key.reveal();
        for foreign in
            ["", "sgk_", &text[1..], &text[..text.len() - 1], &(text.clone() + "a"), &text.replace('f', "F")]
        {
            assert_eq!(ApiKey::parse(foreign), None, "{foreign}");
        }
        assert_eq!(ApiKey::parse(&"ß".repeat(32)), None);
    }

    #[test]
    fn a_ticket_opens_its_own_sessions_until_it_expires() {
        let (mine, other): (SessionId, SessionId) = ("a".parse().expect("id"), "b".parse().expect("id"));
        let claims = Claims { sub: None, sessions: vec![mine.clone()], exp: 1_000 };
        let check = |session, now, expected| assert_eq!(claims.admits(session, now), expected, "{now}");
        check(&mine, 400, Ok(600));
        check(&mine, 999, Ok(1));
        check(&mine, 1_000, Err(BadTicket::Expired));
        check(&mine, i64::MAX, Err(BadTicket::Expired));
        check(&mine, 1_000 - Claims::LIVES - 1, Err(BadTicket::Forged));
        check(&mine, i64::MIN, Err(BadTicket::Forged));
        check(&other, 400, Err(BadTicket::Elsewhere));
        assert!(claims.is_sane());
        assert!(!Claims { sessions: Vec::new(), ..claims.clone() }.is_sane());
        assert!(!Claims { sessions: vec![mine; 17], ..claims.clone() }.is_sane());
        assert!(!Claims { sub: Some("x".repeat(65)), ..claims }.is_sane());
    }

    #[test]
    fn signing_in_leads_to_our_own_pages_only() {
        let check = |asked: &str, expected: &str| assert_eq!(way_back(Some(asked)), expected, "{asked:?}");
        check("/?range=7d&compare=1", "/?range=7d&compare=1");
        check("/sessions/tr-1", "/sessions/tr-1");
        for other in [
            "",
            "x",
            "//elsewhere.example",
            "/\\elsewhere.example",
            "https://elsewhere.example",
            "/a b",
            "/\r\nx",
        ] {
            check(other, "/");
        }
        check(&format!("/{}", "a".repeat(LONGEST_WAY_BACK)), "/");
        assert_eq!(way_back(None), "/");
    }
}
