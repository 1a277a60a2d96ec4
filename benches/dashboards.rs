//! `cargo bench --bench dashboards`: what an open dashboard costs. The server makes its demo traffic; its CPU time is
//! taken with nobody looking and with 20 dashboards, which follow the admin stream and fetch the panels every ten
//! seconds as the page does, in turns, so that a busy machine hits both alike.
//!
//! `DASHBOARDS`, `SECONDS` and `ROUNDS` change it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark that cannot go on should say where")]

mod server;

use futures::StreamExt;
use reqwest::Client;
use server::{Folder, Server, setting};
use std::{process::ExitCode, time::Duration};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure())
}

async fn measure() -> ExitCode {
    let (dashboards, seconds) = (setting("DASHBOARDS", 20), setting("SECONDS", 20));
    let rounds = setting("ROUNDS", 4);
    let folder = Folder::new();
    let server = Server::start(&folder, &["--demo", "true"]).await;
    sleep(Duration::from_secs(35)).await;
    let (mut alone, mut watched) = (0.0, 0.0);
    for _ in 0..rounds {
        alone += share(&server, seconds).await;
        let open: Vec<JoinHandle<()>> =
            (0..dashboards).map(|_| tokio::spawn(look(server.base.clone()))).collect();
        sleep(Duration::from_secs(2)).await;
        watched += share(&server, seconds).await;
        open.iter().for_each(JoinHandle::abort);
        sleep(Duration::from_secs(1)).await;
    }
    let (alone, watched) = (alone / rounds as f64, watched / rounds as f64);
    let each = (watched - alone) / dashboards as f64;
    println!(
        "server CPU with demo traffic: {alone:.2} % of a core alone, {watched:.2} % with {dashboards} dashboards"
    );
    let good = each < 1.0;
    println!("{}: {each:.3} % of a core a dashboard (under 1)", if good { "pass" } else { "FAIL" });
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Percent of one core.
async fn share(server: &Server, seconds: u64) -> f64 {
    let (cpu, start) = (server.cpu_seconds(), Instant::now());
    sleep(Duration::from_secs(seconds)).await;
    (server.cpu_seconds() - cpu) / start.elapsed().as_secs_f64() * 100.0
}

async fn look(base: String) {
    let client = Client::new();
    let url = format!("{base}/api/admin/sse-metrics/stream?sessions=1");
    let follow = async {
        let mut bytes = client.get(url).send().await.expect("a stream").bytes_stream();
        while let Some(Ok(_)) = bytes.next().await {}
    };
    let refresh = async {
        loop {
            let panels = client.get(format!("{base}/panels?range=1h")).send().await.expect("an answer");
            panels.bytes().await.expect("a body");
            sleep(Duration::from_secs(10)).await;
        }
    };
    tokio::join!(follow, refresh);
}
