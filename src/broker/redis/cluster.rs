//! The cluster as it is now: which primary has which slots, and a link to each.

use super::{
    address::at,
    commands::PATIENCE,
    link::Command,
    listener::{Shared, build},
    routes::{Owned, Routes, owned},
};
use ::redis::{AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, Value};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::task::{AbortHandle, JoinSet};

/// How often the cluster's slots are read without a reason. A reason is a lost link, or a refused subscription.
const EVERY: Duration = Duration::from_secs(5);
/// The least time between two reads with a reason.
const LEAST: Duration = Duration::from_millis(200);

/// Keeps the routes right for as long as it runs; the links end with it.
pub async fn follow(shared: Arc<Shared>, seeds: Vec<ConnectionInfo>) {
    let mut links = JoinSet::new();
    let mut running: HashMap<String, AbortHandle> = HashMap::new();
    for round in 0usize.. {
        let mut nodes: Vec<ConnectionInfo> =
            shared.map().routes().roads().iter().map(|road| road.info.clone()).collect();
        nodes.extend(seeds.iter().cloned());
        // Another node first each time: one that is cut off from the others answers with outdated slots.
        let first = round % nodes.len().max(1);
        nodes.rotate_left(first);
        match ask(&nodes).await {
            Ok(slots) => apply(&shared, &seeds, slots, &mut links, &mut running),
            Err(why) => shared.lost_a_link(&why),
        }
        while links.try_join_next().is_some() {}
        tokio::time::sleep(LEAST).await;
        let _ = tokio::time::timeout(EVERY, shared.map().refresh.notified()).await;
    }
}

/// The first answer.
async fn ask(nodes: &[ConnectionInfo]) -> Result<Vec<Owned>, String> {
    let mut why = "the cluster has no nodes".to_owned();
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    for node in nodes {
        let asked = async {
            let client = Client::open(node.clone())?;
            let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
            ::redis::cmd("CLUSTER").arg("SLOTS").query_async::<Value>(&mut connection).await
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => match owned(&answer) {
                Some(slots) if !slots.is_empty() => return Ok(named(slots, node)),
                _ => why = "the cluster has no slots".into(),
            },
            Ok(Err(error)) => why = error.to_string(),
            Err(_) => why = "no node of the cluster answers".into(),
        }
    }
    Err(why)
}

/// A node that does not know its own address leaves it empty: the address that was asked.
fn named(mut slots: Vec<Owned>, asked: &ConnectionInfo) -> Vec<Owned> {
    if let ConnectionAddr::Tcp(host, _) = asked.addr() {
        slots.iter_mut().filter(|slots| slots.2.is_empty()).for_each(|slots| slots.2.clone_from(host));
    }
    slots
}

fn apply(
    shared: &Arc<Shared>,
    seeds: &[ConnectionInfo],
    slots: Vec<Owned>,
    links: &mut JoinSet<()>,
    running: &mut HashMap<String, AbortHandle>,
) {
    let Some(seed) = seeds.first() else { return };
    let before = shared.map().routes();
    let mut ranges = Vec::new();
    let mut fresh = Vec::new();
    for (first, last, host, port) in slots {
        let address = format!("{host}:{port}");
        let known =
            || ranges.iter().map(|(_, _, road)| road).find(|road: &&Arc<_>| is(road, &address)).cloned();
        let road = before.road(&address).cloned().or_else(known);
        let road = road.unwrap_or_else(|| {
            let (road, link) = build(shared, address.clone(), at(seed, &host, port));
            fresh.push((address, link));
            road
        });
        ranges.push((first, last, road));
    }
    let after = Routes::new(ranges);
    if before.told() == after.told() {
        return;
    }
    let roads = after.roads();
    tracing::info!(primaries = roads.len(), "the cluster's slots lie anew");
    shared.map().set(after);
    running.retain(|address, link| {
        let stays = roads.iter().any(|road| is(road, address));
        if !stays {
            link.abort();
        }
        stays
    });
    for (address, link) in fresh {
        running.insert(address, links.spawn(link.run()));
    }
    // A link with a full queue checks by itself within seconds.
    roads.iter().for_each(|road| drop(road.commands.try_send(Command::Again)));
}

fn is(road: &super::routes::Road, address: &str) -> bool {
    road.address == address
}
