//! API keys against their digests.

use crate::chance::random;
use crate::store::StoredKey;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, io};
use streamgauge_core::access::{ApiKey, Scope};

/// All keys that let in, by id.
pub struct Keys(HashMap<String, Key>);

struct Key {
    digest: [u8; 32],
    scopes: Vec<Scope>,
}

impl Keys {
    /// A key whose digest or scopes cannot be read opens nothing.
    pub fn of(stored: Vec<StoredKey>) -> Keys {
        let read = |key: StoredKey| {
            let scopes = key.scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
            Some((key.id, Key { digest: key.digest.try_into().ok()?, scopes }))
        };
        Keys(stored.into_iter().filter(|key| !key.revoked).filter_map(read).collect())
    }

    /// What the key opens; `None`: it is unknown.
    pub fn scopes(&self, token: &str) -> Option<&[Scope]> {
        let key = ApiKey::parse(token)?;
        let known = self.0.get(&key.id)?;
        same(&digest(&key.secret), &known.digest).then_some(&known.scopes)
    }

    /// What the key of that id opens, for a client that has shown its secret before; `None`: it was revoked.
    pub fn scopes_of(&self, id: &str) -> Option<&[Scope]> {
        self.0.get(id).map(|key| &key.scopes[..])
    }
}

/// What is kept of a secret.
pub fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Takes as long wherever the first difference is.
pub fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    std::hint::black_box(one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b))) == 0
}

pub fn fresh_key() -> io::Result<ApiKey> {
    let id = random::<8>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(ApiKey { id, secret: URL_SAFE_NO_PAD.encode(random::<32>()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_what_it_was_made_for() {
        let key = fresh_key().expect("chance");
        let stored = |scopes: &[&str], digest: Vec<u8>| {
            let scopes = scopes.iter().map(|scope| scope.to_string()).collect();
            Keys::of(vec![StoredKey { id: key.id.clone(), digest, scopes, revoked: false }])
        };
        let kept = digest(&key.secret).to_vec();
        let keys = stored(&["publish"], kept.clone());
        assert_eq!(keys.scopes(&key.reveal()), Some(&[Scope::Publish][..]));
        let other = ApiKey { secret: fresh_key().expect("chance").secret, ..key.clone() };
        assert_eq!(keys.scopes(&other.reveal()), None);
        assert_eq!(keys.scopes("sgk_"), None);
        assert_eq!(keys.scopes_of(&key.id), Some(&[Scope::Publish][..]));
        assert_eq!(keys.scopes_of(&other.secret), None);
        assert_eq!(stored(&["root"], kept).scopes(&key.reveal()), Some(&[][..]));
        assert_eq!(stored(&["publish"], vec![0; 3]).scopes(&key.reveal()), None);
    }
}
