//! Which sessions this node subscribes to. One link a Redis receives messages; `hearing` passes them on.

use super::{
    address::Address,
    cluster,
    commands::{Line, PATIENCE},
    health::{Part, RedisHealth},
    hearing::Hearing,
    link::{Command, Link},
    raw_publish::Plain,
    routes::{Map, Road, Routes},
    sentinel::Sentinels,
};
use crate::broker::BrokerError;
use ::redis::ConnectionInfo;
use std::{sync::Arc, time::Duration};
use streamgauge_core::session::{history::SessionHistory, ids::SessionId};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::Instant,
};

/// Commands that may wait. A full queue makes `watch` wait, which slows new streams and nothing else.
const QUEUE: usize = 1_024;
/// After a subscription that was refused because its slot moved.
const PAUSE: Duration = Duration::from_millis(100);

/// What links and listener share.
pub struct Shared {
    pub hearing: Arc<Hearing>,
    pub plain: Plain,
    pub in_cluster: bool,
    /// They name the primary.
    pub sentinels: Option<Arc<Sentinels>>,
}

impl Shared {
    pub fn map(&self) -> &Map {
        self.hearing.store.commands.map()
    }

    pub fn health(&self) -> &RedisHealth {
        &self.hearing.store.health
    }

    /// While another shard works, sessions go on there; a node that is not ready would end them too.
    pub fn lost_a_link(&self, why: &str) {
        if !self.map().routes().any_stands() {
            self.health().note(Part::Hearing, Some(why.to_owned()));
        }
        self.map().refresh.notify_one();
    }
}

/// A route, and the link that serves it.
pub fn build(shared: &Arc<Shared>, address: String, info: ConnectionInfo) -> (Arc<Road>, Link) {
    let (commands, queue) = mpsc::channel(QUEUE);
    let line = shared.in_cluster.then(|| Line::new(Address::One(info.clone())).ok()).flatten();
    let road = Arc::new(Road { address, info, commands, stands: false.into(), line });
    (road.clone(), Link::new(shared.clone(), road, queue))
}

pub struct Listener {
    shared: Arc<Shared>,
    /// End with the listener.
    _tasks: JoinSet<()>,
}

/// A watch that is released on drop unless it is kept.
pub struct Watch<'a> {
    listener: &'a Listener,
    session: SessionId,
    kept: bool,
}

impl Watch<'_> {
    /// The position that the follower has read up to. `false`: it is too old to start from.
    pub fn read(&self, held: &SessionHistory) -> bool {
        self.listener.shared.hearing.table.read(&self.session, held)
    }

    /// From now on [`Listener::unwatch`] releases it.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.listener.unwatch(&self.session);
        }
    }
}

impl Listener {
    pub fn start(address: Address, hearing: Arc<Hearing>, plain: Plain) -> Listener {
        let in_cluster = matches!(address, Address::Cluster(_));
        let sentinels = match &address {
            Address::Named(sentinels) => Some(sentinels.clone()),
            Address::One(_) | Address::Cluster(_) => None,
        };
        let shared = Arc::new(Shared { hearing, plain, in_cluster, sentinels });
        let mut tasks = JoinSet::new();
        tasks.spawn(shared.hearing.clone().catch_up());
        tasks.spawn(shared.hearing.store.clone().recover());
        let mut lead = |name, info| {
            let (road, link) = build(&shared, name, info);
            shared.map().set(Routes::new(vec![(0, 16_383, road)]));
            tasks.spawn(link.run());
        };
        match address {
            Address::One(info) => lead(info.addr().to_string(), info),
            Address::Named(sentinels) => lead(sentinels.name.clone(), sentinels.login.clone()),
            Address::Cluster(seeds) => {
                tasks.spawn(cluster::follow(shared.clone(), seeds));
            }
        }
        Listener { shared, _tasks: tasks }
    }

    /// Returns once Redis has confirmed that this node is subscribed to the session.
    pub async fn watch(&self, session: &SessionId) -> Result<Watch<'_>, BrokerError> {
        self.shared.hearing.table.watch(session);
        let watch = Watch { listener: self, session: session.clone(), kept: false };
        let end = Instant::now() + PATIENCE;
        loop {
            let asked = tokio::time::timeout_at(end, self.subscribe(session)).await;
            let late = || BrokerError::Away("the connection that hears does not answer".into());
            match asked.unwrap_or_else(|_| Err(late())) {
                Ok(()) => return Ok(watch),
                Err(error) if !self.shared.in_cluster || Instant::now() + PAUSE >= end => return Err(error),
                // A slot that moves, or a failover: after the pause the new address may be known.
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn subscribe(&self, session: &SessionId) -> Result<(), BrokerError> {
        let away = |why: &str| BrokerError::Away(why.to_owned());
        let road = self
            .shared
            .map()
            .road(session)
            .ok_or_else(|| away("no node of the cluster has the session's slot"))?;
        let (reply, confirmed) = oneshot::channel();
        let gone = || away("the subscriber connection is being made");
        road.commands.send(Command::Subscribe(session.clone(), reply)).await.map_err(|_| gone())?;
        confirmed.await.map_err(|_| gone())?
    }

    pub fn unwatch(&self, session: &SessionId) {
        // A full queue loses only this hint: the link checks again every few seconds.
        if self.shared.hearing.table.unwatch(session)
            && let Some(road) = self.shared.map().road(session)
        {
            let _ = road.commands.try_send(Command::Left(session.clone()));
        }
    }
}
