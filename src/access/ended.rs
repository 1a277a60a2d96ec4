//! Sign-ins that ended before their time was over: their cookies open nothing any more.
//!
//! PostgreSQL shares them between nodes and keeps them over a restart. While it is unreachable they count on this node, and
//! are written once it can be reached.

use crate::store::SignOut;
use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};
use streamgauge_core::access::Actor;

/// Sign-ins that are remembered. It takes an admin's key to begin one, and each is forgotten once its cookie has expired.
pub const MOST: i64 = 10_000;

/// By the id of the sign-in.
#[derive(Default)]
pub struct Ended(RwLock<HashMap<String, EndedSignIn>>);

struct EndedSignIn {
    /// When its cookie expires, Unix seconds: from then on there is nothing to remember.
    exp: i64,
    /// Who signed out, for the audit log, until PostgreSQL has it.
    unstored: Option<Actor>,
}

impl Ended {
    pub fn holds(&self, id: &str) -> bool {
        self.read().contains_key(id)
    }

    /// `now`: Unix seconds.
    pub fn end(&self, SignOut { id, exp, actor }: SignOut, now: i64) {
        let mut ended = self.write();
        if !ended.contains_key(&id) {
            make_room(&mut ended, now);
            ended.insert(id, EndedSignIn { exp, unstored: Some(actor) });
        }
    }

    /// Those that PostgreSQL does not have yet.
    pub fn unstored(&self) -> Vec<SignOut> {
        let ended = self.read();
        let unstored = ended.iter().filter_map(|(id, sign_in)| {
            let actor = sign_in.unstored.clone()?;
            Some(SignOut { id: id.clone(), exp: sign_in.exp, actor })
        });
        unstored.collect()
    }

    /// PostgreSQL has these: from this node or another.
    pub fn stored(&self, ids: impl IntoIterator<Item = (String, i64)>, now: i64) {
        let mut ended = self.write();
        ended.retain(|_, sign_in| now < sign_in.exp);
        for (id, exp) in ids.into_iter().filter(|(_, exp)| now < *exp) {
            if !ended.contains_key(&id) {
                make_room(&mut ended, now);
            }
            ended.insert(id, EndedSignIn { exp, unstored: None });
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<String, EndedSignIn>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<String, EndedSignIn>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets what has expired. Where that is not enough, the one that expires next goes: no cookie is worth less.
fn make_room(ended: &mut HashMap<String, EndedSignIn>, now: i64) {
    let is_full = |ended: &HashMap<_, _>| i64::try_from(ended.len()).is_ok_and(|count| count >= MOST);
    if !is_full(ended) {
        return;
    }
    ended.retain(|_, sign_in| now < sign_in.exp);
    if is_full(ended)
        && let Some(next) = ended.iter().min_by_key(|(_, sign_in)| sign_in.exp).map(|(id, _)| id.clone())
    {
        ended.remove(&next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_out(id: &str, exp: i64) -> SignOut {
        SignOut { id: id.into(), exp, actor: Actor::local_user(None) }
    }

    #[test]
    fn a_sign_in_that_ended_is_remembered_and_written_once() {
        let ended = Ended::default();
        ended.end(sign_out("a", 100), 0);
        assert!(ended.holds("a") && !ended.holds("b"));
        assert_eq!(ended.unstored(), [sign_out("a", 100)]);
        ended.stored([("a".into(), 100), ("b".into(), 200)], 0);
        assert!(ended.holds("a") && ended.holds("b"));
        assert_eq!(ended.unstored(), []);
        ended.end(sign_out("a", 100), 0);
        assert_eq!(ended.unstored(), [], "ended twice, written once");
    }

    #[test]
    fn memory_for_sign_ins_is_bounded() {
        let ended = Ended::default();
        for n in 0..MOST + 10 {
            ended.end(sign_out(&n.to_string(), 1_000 + n), 0);
        }
        assert_eq!(ended.read().len() as i64, MOST);
        assert!(!ended.holds("9") && ended.holds("10"));
        ended.end(sign_out("late", 1_000_000), 1_000 + MOST);
        assert_eq!(ended.read().len(), 10, "those that expired are gone");
        ended.stored([("over".into(), 999)], 1_000_000);
        assert_eq!(ended.read().len(), 0, "and nothing that has expired comes back from PostgreSQL");
    }
}
