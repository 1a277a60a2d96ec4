//! What a broker must do, seen from outside: one list of scenarios, run in process, through Redis, through a Redis that
//! Sentinels name, and through a Redis Cluster.

mod early; // before the first event
mod following; // from any position, through any cut
mod forgotten; // silent for longer than it is kept, or over
mod places; // how many streams a user has
mod requests; // repeated, and polled
mod sessions; // made, numbered, ended
mod traces; // what is left behind

use crate::support::{Client, Database, Launch, Redis, RedisCluster, RedisSentinels, Server, Shared};
use std::sync::Arc;
use tokio::{runtime::Handle, task::block_in_place};

static REDIS: Shared<Redis> = Shared::new();
static SENTINELS: Shared<RedisSentinels> = Shared::new();
static CLUSTER: Shared<RedisCluster> = Shared::new();

#[derive(Clone, Copy)]
enum Through {
    Nothing,
    Redis,
    Sentinels,
    Cluster,
}

/// A server with one of the brokers, and everything under it.
struct Stage {
    server: Option<Server>,
    client: Client,
    redis: Option<Arc<Redis>>,
    sentinels: Option<Arc<RedisSentinels>>,
    cluster: Option<Arc<RedisCluster>>,
    database: Database,
    flags: Vec<(String, u32)>,
}

impl Stage {
    async fn new(through: Through, flags: &[(&str, u32)]) -> Stage {
        let database = Database::new().await;
        let redis = matches!(through, Through::Redis).then(|| REDIS.get(Redis::start));
        let sentinels = matches!(through, Through::Sentinels).then(|| {
            let start = || Handle::current().block_on(RedisSentinels::start());
            SENTINELS.get(|| block_in_place(start))
        });
        let cluster = matches!(through, Through::Cluster).then(|| CLUSTER.get(RedisCluster::start));
        let flags = flags.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let (client, server) = (Client::new(0), None);
        let mut stage = Stage { client, server, redis, sentinels, cluster, database, flags };
        let server = stage.another();
        stage.client = server.client();
        stage.server = Some(server);
        if stage.needs_to_find_redis() {
            stage.client.is_ready().await;
        }
        stage
    }

    /// One more node with the same broker and database.
    fn another(&self) -> Server {
        let mut launch = Launch::on(&self.database);
        for (name, value) in &self.flags {
            launch = launch.flag(name, value);
        }
        if let Some(redis) = &self.redis {
            launch = launch.redis(redis);
        }
        if let Some(sentinels) = &self.sentinels {
            launch = launch.sentinels(sentinels);
        }
        if let Some(cluster) = &self.cluster {
            launch = launch.cluster(cluster);
        }
        launch.start()
    }

    /// Until Sentinels have named the primary, a new node has no Redis that it could wait for.
    fn needs_to_find_redis(&self) -> bool {
        self.sentinels.is_some()
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("it runs until the stage ends")
    }
}

/// `version`: of HTTP.
async fn run(through: Through, version: &str, flags: &[(&str, u32)], scenario: impl AsyncFnOnce(&Stage)) {
    let mut stage = Stage::new(through, flags).await;
    stage.client = Client::over(stage.server().port, version);
    scenario(&stage).await;
}

/// Each room's scenarios with each broker, and by each version of HTTP, under the settings before their list.
macro_rules! contract {
    ($($room:ident $settings:expr => $($scenario:ident)*;)*) => {
        mod in_process { $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() { super::run(super::Through::Nothing, "1.1", &$settings, super::$room::$scenario).await; }
        )*)* }
        mod by_http_1_0 { $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() { super::run(super::Through::Nothing, "1.0", &$settings, super::$room::$scenario).await; }
        )*)* }
        mod multiplexed { $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() { super::run(super::Through::Nothing, "2", &$settings, super::$room::$scenario).await; }
        )*)* }
        mod through_redis { $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() { super::run(super::Through::Redis, "1.1", &$settings, super::$room::$scenario).await; }
        )*)* }
        mod through_redis_sentinels { $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() { super::run(super::Through::Sentinels, "1.1", &$settings, super::$room::$scenario).await; }
        )*)* }
        mod through_a_redis_cluster { $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() { super::run(super::Through::Cluster, "1.1", &$settings, super::$room::$scenario).await; }
        )*)* }
    };
}

contract! {
    sessions [] =>
        a_session_is_created_once
        nobody_knows_an_unknown_session
        the_first_event_makes_its_session
        ids_count_up_in_one_epoch
        a_session_ends_once_and_for_all;
    following [] =>
        a_newcomer_gets_a_snapshot_then_every_event
        an_absurd_position_is_a_gap_or_refused
        numbers_stay_as_they_were_published
        several_that_come_at_once_while_it_is_published_miss_nothing
        everybody_gets_everything;
    following [("history-events", 1_000)] =>
        however_often_a_follower_is_cut_it_misses_nothing;
    following [("history-events", 4)] =>
        what_history_let_go_is_a_gap;
    following [("heartbeat-ms", 200), ("idle-close-ms", 1000)] =>
        silence_is_pinged_then_closed;
    early [] =>
        a_follower_that_comes_early_gets_every_event_from_the_first_on
        several_that_come_while_a_session_begins_miss_nothing
        a_follower_that_comes_early_with_a_position_is_told_of_the_gap
        several_sessions_may_be_followed_before_they_begin
        a_stream_that_waits_takes_a_place_and_gives_it_back;
    early [("heartbeat-ms", 200), ("idle-close-ms", 1000)] =>
        a_stream_that_waits_for_nothing_is_pinged_then_closed;
    forgotten [("abandon-after-ms", 1_000), ("history-ms", 1_000), ("heartbeat-ms", 1_000)] =>
        no_id_is_given_twice_to_a_session_that_was_forgotten
        a_stream_that_stayed_open_hears_all_that_is_new
        an_ended_session_takes_nothing_after_its_history_is_gone;
    places [] =>
        a_user_has_three_places_a_session;
    requests [] =>
        a_repeated_request_publishes_once
        a_poll_says_when_to_ask_again_and_what_is_unchanged;
}
