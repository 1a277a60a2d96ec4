//! The life of a process: start, serve, drain, stop.

use crate::{
    access::Access,
    alerting::{Alerting, BadRules, Book},
    broker::{Broker, LocalBroker, RedisBroker, RedisUrlError, TracedBroker},
    clock, demo,
    files::{most_connections, most_streams},
    gauge::{Beacons, Board, Facts, KEPT, Polled, Totals},
    geo::{Geo, NoGeoip},
    http, jobs,
    measure::{Journal, Recorder},
    node::Node,
    store::{self, Private, Store, Unusable},
    stream::{self, AdmissionControl, Hub, LiveLimits, Places, Serving, StreamContext, WorkerPool},
    telemetry::{Exporter, System, Telemetry},
};
use bytes::Bytes;
use std::{net::SocketAddr, path::PathBuf, sync::Arc, thread, time::Duration};
use streamgauge_core::{
    access::site::{PublicUrl, Site},
    page::annotation::{Annotation, AnnotationKind},
    settings::{limits::Limit, table::Settings},
};
use tokio::{
    net::{TcpListener, TcpSocket},
    runtime::{self, Handle},
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// How long the server waits at its start for a database of the operator's own. After that it serves without history.
const DATABASE_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {0}: {1}.")]
    Listen(SocketAddr, std::io::Error),
    #[error(
        "will not listen on {0}, where others can connect, without a key: make one with `streamgauge key create \
         --name NAME --scope publish` (and one with `--scope admin` for the dashboards), or listen on 127.0.0.1."
    )]
    Open(SocketAddr),
    #[error(
        "will not listen on {0}, where others can connect, before it knows the keys, and they cannot be read: {1}."
    )]
    NoKeys(SocketAddr, String),
    #[error("{0}")]
    Private(#[from] store::PrivateError),
    #[error("{0}.")]
    Database(#[from] Unusable),
    #[error("redis_url cannot be used: {0}.")]
    Redis(#[from] RedisUrlError),
    #[error(transparent)]
    Geoip(#[from] NoGeoip),
    #[error("otlp_endpoint cannot be used: {0}.")]
    Telemetry(#[from] reqwest::Error),
    #[error("alerts is {0:?}, but must be the path of a readable file: {1}.")]
    NoAlerts(PathBuf, std::io::Error),
    #[error("the alert rules in {0:?} cannot be used:\n{1}")]
    Alerts(PathBuf, BadRules),
    #[error("the runtime does not start: {0}.")]
    Runtime(#[from] std::io::Error),
}

impl StartError {
    /// The fault is in what the operator wrote, as with a setting.
    pub fn is_usage(&self) -> bool {
        matches!(self, StartError::NoAlerts(..) | StartError::Alerts(..))
    }
}

/// The rules of the file that the settings name. Read before anything is started, so that a bad file stops nothing that
/// ran.
fn rules(settings: &Settings) -> Result<Option<Book>, StartError> {
    let Some(path) = &settings.alerts else { return Ok(None) };
    let bytes = std::fs::read(path).map_err(|error| StartError::NoAlerts(path.clone(), error))?;
    let book = Book::of_file(&path.display().to_string(), &bytes, |name| std::env::var(name).ok());
    book.map(Some).map_err(|bad| StartError::Alerts(path.clone(), bad))
}

/// What threads and processes run at a stretch that serve nobody, while others want the processor: those that do serve
/// take the usual slice again, and so do not wait for the end of this one.
const UNHURRIED: Duration = Duration::from_millis(20);

/// The nice value of threads that make pages: a third of the weight of a thread that serves. They hold no lock that a
/// serving thread needs for longer than a copy takes.
const NICE: i32 = 5;

/// The calling thread, and all that it starts.
fn give_way() {
    if let Err(error) = kernel::time_slice::set(UNHURRIED) {
        tracing::debug!(%error, "the kernel takes no slice for threads that do not serve");
    }
}

/// The calling thread makes pages: while many are asked for, those who follow, publish and ask for health come first.
fn stand_back() {
    if let Err(error) = kernel::time_slice::set_nice(NICE) {
        tracing::debug!(%error, "the kernel takes no nice value for threads that make pages");
    }
}

/// Serves until SIGTERM or Ctrl-C, then drains and stops. A second signal ends at once.
pub fn run(settings: Settings) -> Result<(), StartError> {
    give_way();
    let rules = rules(&settings)?;
    // The allocator keeps memory for each thread: what comes by the second is all done by this one, with one or two more
    // that compute, so that an idle server does not grow until every thread has done everything once.
    let chores = runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        // What such a thread took for its work goes with it: half a megabyte, every half minute.
        .thread_keep_alive(Duration::from_secs(1))
        .on_thread_start(give_way)
        .build()?;
    let pages = runtime::Builder::new_multi_thread()
        .thread_name("pages")
        .enable_all()
        .on_thread_start(stand_back)
        .build()?;
    let result = chores.block_on(live(settings, rules, pages.handle()));
    // A demo client or a slow query must not hold the process up.
    pages.shutdown_timeout(Duration::from_secs(1));
    chores.shutdown_timeout(Duration::from_secs(1));
    result
}

/// `pages`: the runtime for what may take its time.
async fn live(mut settings: Settings, rules: Option<Book>, pages: &Handle) -> Result<(), StartError> {
    let started_at = clock::now_ms();
    // Before anything is started: from here on a signal stops what was started, in order.
    let mut signals = Signals::catch()?;
    if settings.demo {
        settings.data_dir = demo::folder(&settings.data_dir);
    }
    let address = settings.listen;
    let listener = listen(address).map_err(|error| StartError::Listen(address, error))?;

    let private = match settings.database_url {
        Some(_) => None,
        // A first signal waits until PostgreSQL can be stopped.
        None => tokio::select! {
            private = Private::start(&settings.data_dir) => Some(private?),
            () = signals.until(2) => {
                stopped_at_once();
                return Ok(());
            }
        },
    };
    let prepared = tokio::select! {
        biased;
        () = signals.until(1) => None,
        prepared = prepare(settings, rules, listener, private.as_ref(), started_at) => Some(prepared),
    };
    let refused = match prepared {
        Some(Ok(ready)) => {
            serve(ready, private, signals, pages).await;
            return Ok(());
        }
        Some(Err(error)) => Err(error),
        None => {
            tracing::info!("stopped before it listened");
            Ok(())
        }
    };
    // A start that goes no further leaves no PostgreSQL behind.
    if let Some(private) = private {
        tokio::select! {
            () = private.stop() => {}
            () = signals.until(2) => stopped_at_once(),
        }
    }
    refused
}

fn stopped_at_once() {
    tracing::warn!("stopped at once, at the second signal");
}

/// All that a start can fail at, done: what is left to do is serving.
struct Ready {
    node: Arc<Node>,
    listener: TcpListener,
    address: SocketAddr,
    exporter: Option<Exporter>,
    drain: watch::Sender<Option<u32>>,
    /// Threads that serve connections.
    workers: Arc<WorkerPool>,
    /// How many connections there may be.
    most: u32,
}

/// Everything that can refuse a start. It starts no task that writes: the caller stops PostgreSQL when this fails or is
/// dropped.
async fn prepare(
    mut settings: Settings,
    rules: Option<Book>,
    listener: TcpListener,
    private: Option<&Private>,
    started_at: i64,
) -> Result<Ready, StartError> {
    let address = listener.local_addr()?;
    // The port that was free, where any was asked for.
    settings.listen = address;
    let url = private.map_or_else(|| settings.database_url.clone().unwrap_or_default(), Private::url);
    let store = Store::new(&url, &settings.node, started_at)?;
    let migrated = tokio::time::timeout(DATABASE_PATIENCE, store.migrate()).await;
    let absence = match migrated.unwrap_or_else(|_| Err(Unusable::Unreachable("it does not answer".into()))) {
        Ok(()) => None,
        Err(reason) if private.is_some() || !reason.is_absence() => return Err(reason.into()),
        Err(reason) => {
            tracing::warn!(%reason, "the database is not reachable: serving without history until it is");
            Some(reason)
        }
    };

    let access = Access::default();
    let keys = access.refresh(&store).await;
    match keys {
        Err(error) if !address.ip().is_loopback() => {
            let reason = absence.map_or_else(|| error.to_string(), |reason| reason.to_string());
            return Err(StartError::NoKeys(address, reason));
        }
        Err(error) => tracing::warn!(%error, "the keys cannot be read: nobody is let in until they can"),
        Ok(()) if !address.ip().is_loopback() && !access.is_closed() => {
            return Err(StartError::Open(address));
        }
        Ok(()) => {}
    }

    let (drain, draining) = watch::channel(None);
    let most = most_connections(cores());
    let streams = most_streams(most);
    let (telemetry, exporter) = Telemetry::new(settings.otlp().as_ref())?;
    let node =
        assemble((within(settings, streams), rules), streams, access, store, telemetry, started_at, draining)
            .await?;
    // Until the end: a connection to PostgreSQL that was opened on one lives there.
    let workers = Arc::new(WorkerPool::start(cores())?);
    let listener = {
        let _inside = workers.first().enter();
        TcpListener::from_std(listener.into_std()?)?
    };
    Ok(Ready { node, listener, address, exporter, drain, workers, most })
}

/// Serves until a signal, then drains and stops.
async fn serve(ready: Ready, private: Option<Private>, mut signals: Signals, pages: &Handle) {
    let Ready { node, listener, address, exporter, drain, workers, most } = ready;
    // Four stops, one after the other: connections, the gauge with its last sample, the writer, the database.
    let (stop_serving, serving) = watch::channel(false);
    let (stop_gauge, gauging) = watch::channel(false);
    let (stop_store, storing) = watch::channel(false);
    let (stop_postgres, ending) = watch::channel(false);
    let keeper = private.map(|private| tokio::spawn(private.keep(ending)));
    node.store.write_behind().annotate(Annotation {
        id: 0,
        at: node.board.started_at() / 1_000,
        kind: AnnotationKind::Restart,
        node: node.settings.node.clone(),
        text: format!("{} started, v{}", node.settings.node, env!("CARGO_PKG_VERSION")),
        author: String::new(),
    });
    let (at_risk, shown) = watch::channel(Vec::new());
    let ticker = tokio::spawn(jobs::tick(node.clone(), shown, gauging.clone()));
    jobs::start(&node, at_risk, &gauging);
    tokio::spawn({
        let (store, gauging) = (node.store.clone(), gauging.clone());
        async move { store.lead(gauging).await }
    });
    if let Some(probe) = jobs::Probe::new(&node, address) {
        tokio::spawn(probe.run(gauging.clone()));
    }
    let writer = tokio::spawn({
        let (node, storing) = (node.clone(), storing.clone());
        async move { node.store.run(&node.recorder, &node.telemetry, storing).await }
    });
    let exporter = exporter.map(|exporter| tokio::spawn(exporter.run(node.clone(), storing)));
    if node.settings.demo && !node.access.is_open() {
        tracing::warn!("no demo traffic: it has no key, and access is not open");
    } else if node.settings.demo {
        tokio::spawn(demo::run(address, node.settings.poll_interval_ms));
    }
    if let Some(until) = node.seeded_until {
        let node = node.clone();
        // It computes for seconds.
        pages.spawn(async move {
            demo::past(&node.store, until).await;
            // The charts of the last two hours come from memory.
            let history = node.store.history();
            let of_it = history.of_others(&node.settings.node, (until - KEPT, until), KEPT as f64).await;
            node.board.absorb(of_it.unwrap_or_default());
        });
    }

    let answers = http::front(node.clone(), http::Routes::new(node.clone(), pages));
    let serving =
        Serving { answers, recorder: node.recorder.clone(), hub: node.streams.hub.clone(), stop: serving };
    let most = usize::try_from(most).unwrap_or(1 << 20);
    let limits = node.streams.hub.limits().clone();
    let places = Places::new(most, node.settings.trusted_proxies.clone(), limits);
    let on = workers.clone();
    let server = workers.first().spawn(async move { stream::serve(listener, &on, serving, places).await });
    let accepting = server.abort_handle();
    let open =
        if node.access.is_open() { "access is open to this machine" } else { "access is by key and ticket" };
    let public_url = node.site.public_url(node.access.is_open()).map_or("not set", PublicUrl::as_str);
    tracing::info!(public_url, "Streamgauge listens on http://{address}; {open}");

    signals.until(1).await;
    let window = node.streams.hub.limits().get(Limit::DrainWindowMs);
    tracing::info!(streams = node.streams.hub.open(), window_ms = window, "stopping: streams are sent away");
    drain.send_replace(Some(window));
    node.streams.hub.drain(window);
    let ordered = async {
        // Publishers and pollers are served meanwhile, and `/readyz` answers that this node is not ready.
        streams_gone(&node.streams.hub, window).await;
        stop_serving.send_replace(true);
        let _ = server.await;
        stop_gauge.send_replace(true);
        let _ = ticker.await;
        stop_store.send_replace(true);
        let _ = writer.await;
        if let Some(exporter) = exporter {
            let _ = exporter.await;
        }
        stop_postgres.send_replace(true);
        if let Some(keeper) = keeper {
            let _ = keeper.await;
        }
    };
    tokio::select! {
        () = ordered => tracing::info!("stopped"),
        () = signals.until(2) => {
            accepting.abort();
            stopped_at_once();
        }
    }
}

/// A crowd that connects at once waits in the kernel's queue. Where that is full, it sends again after a second.
const BACKLOG: u32 = 4_096;

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for the connections of before to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn cores() -> usize {
    thread::available_parallelism().map_or(2, usize::from)
}

/// Puts the node together, with what the database knows from before.
async fn assemble(
    (settings, rules): (Settings, Option<Book>),
    most_connections: u32,
    access: Access,
    store: Store,
    telemetry: Telemetry,
    started_at: i64,
    drain: watch::Receiver<Option<u32>>,
) -> Result<Arc<Node>, StartError> {
    // Writing to sockets is the half of the work that is not requests.
    let reactors = cores().div_ceil(2);
    let recorder = Recorder::with(2 * cores() + reactors + 1, Journal::new(&settings.node));
    let limits = LiveLimits::new(&settings.limits);
    let hub = Hub::start(recorder.clone(), limits.clone(), reactors)?;
    let (history, abandon) = (settings.history(), settings.abandon_after_ms);
    let (mut local, mut redis) = (None, None);
    let broker: Arc<dyn Broker> = match &settings.redis_url {
        Some(url) => {
            // This thread passes on what Redis brings, so it serves like the others that do.
            let _ = kernel::time_slice::reset();
            let (plain, endings) = (settings.redis_plain, store.endings().clone());
            let broker = Arc::new(RedisBroker::start(url, hub.clone(), history, abandon, plain, endings)?);
            redis = Some(broker.clone());
            broker
        }
        None => {
            let broker = Arc::new(LocalBroker::new(hub.clone(), history, abandon));
            let known = store.sessions().restorable(started_at - abandon, started_at - history.age_ms).await;
            match known {
                Ok(sessions) => broker.restore(sessions, started_at),
                Err(error) => tracing::warn!(%error, "sessions from before the start are not known"),
            }
            local = Some(broker.clone());
            broker
        }
    };
    // Without tracing, commands pay nothing for it.
    let broker = if telemetry.is_on() {
        let system = if redis.is_some() { System::Redis } else { System::Here };
        Arc::new(TracedBroker::new(broker, system))
    } else {
        broker
    };
    let seeded_until = demo::seeded_until(&settings, &store, started_at).await;
    let facts = Facts {
        seeded_until,
        node: settings.node.clone(),
        version: env!("CARGO_PKG_VERSION"),
        started_at,
        demo: settings.demo,
        poll_interval_ms: settings.poll_interval_ms,
        limits,
    };
    let board = Board::new(facts, started_at / 1_000);
    match store.history().recent(started_at / 1_000 - KEPT, started_at / 1_000 + 10).await {
        Ok(rows) => board.absorb(rows),
        Err(error) => tracing::warn!(%error, "the last two hours are not known"),
    }
    let streams = StreamContext {
        broker,
        hub,
        recorder: recorder.clone(),
        admission: AdmissionControl::default(),
        endings: store.endings().clone(),
        drain,
    };
    Ok(Arc::new(Node {
        most_connections,
        alerting: Alerting::new(rules, redis.is_some(), started_at),
        site: Site::new(
            settings.public_url.clone(),
            settings.allowed_hosts.as_deref().unwrap_or_default(),
            settings.listen.port(),
        ),
        geo: Geo::new(&settings)?,
        probe_secret: probe_secret()?,
        settings,
        access,
        recorder,
        beacons: Beacons::default(),
        polled: Polled::default(),
        streams,
        redis,
        local,
        store,
        board,
        seeded_until,
        totals: Totals::default(),
        telemetry,
        metrics: watch::channel(Bytes::new()).0,
        sessions: watch::channel(Bytes::new()).0,
    }))
}

fn probe_secret() -> std::io::Result<Box<str>> {
    let secret = crate::chance::random::<32>()?;
    Ok(secret.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
}

/// More streams than file descriptors allow would fail one by one, where nobody sees it.
fn within(mut settings: Settings, most: u32) -> Settings {
    if settings.limits.max_connections > most {
        tracing::warn!(
            wanted = settings.limits.max_connections,
            allowed = most,
            "max_connections is lowered to what the hard limit of open files (ulimit -Hn) allows"
        );
        settings.limits.max_connections = most;
    }
    settings
}

/// Until the last stream has left, or the window and a little more is over.
async fn streams_gone(hub: &Hub, window_ms: u32) {
    let patience = Duration::from_millis(u64::from(window_ms) + 1_000);
    let _ = tokio::time::timeout(patience, async {
        while hub.open() > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

/// SIGTERM and Ctrl-C.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    came: u32,
}

impl Signals {
    /// From here on they no longer end the process by themselves.
    fn catch() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            came: 0,
        })
    }

    /// Returns once `count` of them have come since the start, those before this call included.
    async fn until(&mut self, count: u32) {
        while self.came < count {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
            self.came += 1;
        }
    }
}
