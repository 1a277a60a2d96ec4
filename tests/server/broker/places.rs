//! How many streams a user has of one session.

use super::Stage;
use crate::support::{Follower, eventually, fresh};
use reqwest::StatusCode;

pub(super) async fn a_user_has_three_places_a_session(Stage { client, .. }: &Stage) {
    let (session, other) = (fresh("places"), fresh("places"));
    client.publish(&session, 1).await;
    client.publish(&other, 1).await;
    let ask = |session: &str, user: &str| client.stream(session).query(&[("user", user)]);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(Follower::open(ask(&session, "ann")).await);
    }
    let refused = ask(&session, "ann").send().await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let others = [Follower::open(ask(&session, "bob")).await, Follower::open(ask(&other, "ann")).await];
    // Each that leaves makes room for one.
    for _ in 0..4 {
        held.pop();
        let place = eventually("a place is free", 5, async || {
            let answer = ask(&session, "ann").send().await.expect("an answer");
            (answer.status() == StatusCode::OK).then(|| Follower::of(answer))
        });
        held.push(place.await);
        let refused = ask(&session, "ann").send().await.expect("an answer");
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    }
    drop((held, others));
}
