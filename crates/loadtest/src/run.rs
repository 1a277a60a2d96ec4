//! One run from start to outcome: threads, samples, orders, sums.

use crate::{
    call,
    drive::{News, Orders, Setup, Sources, Worker, most_files},
    host, judge,
    limit::Steps,
    outcome::figures_of,
    peak::Peak,
    plan::Plan,
    scenario::Scenario,
    tally::Tally,
    timeline::Timeline,
    watch::Watch,
    wire::{request::Requests, target::Target},
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};
use streamgauge_core::load_test::{Changes, Counts, Figures, Outcome, ToolFigures, Verdict};

/// What a run needs to know, checked.
pub struct Options {
    /// Scaled already.
    pub scenario: Scenario,
    pub time_scale: f64,
    /// What the command line changed in the load: already applied, and reported so that the run can be repeated.
    pub changes: Changes,
    pub url: String,
    pub target: Target,
    /// Where followers stream from.
    pub follow: Target,
    /// API key for publishing.
    pub key: Option<String>,
    /// `None`: look for it.
    pub server_pid: Option<i32>,
    pub threads: u32,
    /// For so long messages are collected, to be published in one request. `None`: each in a request of its own.
    pub batch: Option<Duration>,
}

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("The server at {0} cannot be reached: {1}.")]
    Unreachable(String, io::Error),
    #[error("The server at {0} does not let this tool publish: {1}.")]
    NoKey(String, &'static str),
    #[error(
        "streams is {streams}, but must be at most {room}: this process may open {files} files, and each stream is one."
    )]
    Files { streams: u32, room: u64, files: u64 },
    #[error("The load could not be started: {0}.")]
    Start(#[from] io::Error),
}

/// How a run goes, once a second.
pub struct Progress {
    pub at: Duration,
    /// When the last thing is due.
    pub of: Duration,
    pub open: u32,
    pub second: Box<Tally>,
    pub total: Counts,
    /// The rate of a step-wise test, messages a second.
    pub rate: Option<f64>,
}

/// Files beside the streams: publishers, epoll, /proc, the terminal.
const SPARE_FILES: u64 = 100;
const PUBLISHERS: u32 = 16;

/// Runs a scenario. `stop` ends it early, with what was measured until then.
pub fn run(
    options: &Options,
    stop: &AtomicBool,
    mut tell: impl FnMut(&Progress),
) -> Result<Outcome, RunError> {
    let Options { scenario, target, follow, url, .. } = options;
    let files = most_files();
    if u64::from(scenario.streams) + SPARE_FILES > files
        && matches!(scenario.life, crate::scenario::Life::Together(_))
    {
        return Err(RunError::Files {
            streams: scenario.streams,
            room: files.saturating_sub(SPARE_FILES),
            files,
        });
    }
    let follow_url = options.changes.follow_url.as_ref().unwrap_or(url);
    for (url, target) in [(url, target), (follow_url, follow)] {
        call::is_alive(target).map_err(|error| RunError::Unreachable(url.clone(), error))?;
    }
    let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let requests =
        Requests::new(&target.authority, options.key.as_deref(), &format!("{:x}", started.as_millis()));
    if !call::may_publish(target, &requests).map_err(|error| RunError::Unreachable(url.clone(), error))? {
        let why = match options.key {
            Some(_) => "it has no such key, or one without the scope publish",
            None => "it takes a key: --key or STREAMGAUGE_API_KEY",
        };
        return Err(RunError::NoKey(url.clone(), why));
    }
    let plan = Arc::new(Plan::new(scenario));
    let pid = options.server_pid.or_else(|| host::listening_on(target.address));
    let mut sums = Sums {
        watch: pid.and_then(Watch::begin),
        steps: scenario.limit.is_some().then(|| Steps::new(plan.as_ref().clone())),
        open: vec![0; options.threads as usize],
        ..Sums::default()
    };
    let own_cpu = host::own_cpu_seconds();
    let setup = Setup {
        plan: plan.clone(),
        target: target.clone(),
        follow: follow.clone(),
        requests,
        sources: Sources::new(follow.address, scenario.streams),
        orders: Arc::new(Orders::default()),
        origin: Instant::now(),
        threads: options.threads,
        publishers: if options.batch.is_some() { 1 } else { (PUBLISHERS / options.threads).max(1) },
        batch_us: options.batch.map(|batch| u64::try_from(batch.as_micros()).unwrap_or(u64::MAX)),
    };
    let (sender, news) = sync_channel(64);
    let mut handles = Vec::new();
    for index in 0..options.threads {
        let worker = Worker::new(setup.clone(), index, sender.clone())?;
        handles.push(thread::Builder::new().name(format!("load-{index}")).spawn(move || worker.run())?);
    }
    drop(sender);
    let interrupted = sums.follow(&setup, &news, stop, &mut tell);
    for handle in handles {
        if let Ok(Err(error)) = handle.join() {
            return Err(error.into());
        }
    }
    let elapsed = setup.origin.elapsed();
    let tool = ToolFigures {
        threads: options.threads,
        cpu_mean_core_percent: (host::own_cpu_seconds() - own_cpu) / elapsed.as_secs_f64().max(0.001) * 100.0,
        lag: (&sums.total.own_lag).into(),
    };
    let (start, end) = (plan.start_us().unwrap_or(0) as f64 / 1e6, plan.last_us() as f64 / 1e6);
    let figures = Figures {
        streams_asked: scenario.streams,
        sessions_asked: scenario.sessions,
        peak_streams: sums.peak,
        seconds: elapsed.as_secs(),
        server: sums.watch.map(|watch| watch.figures(start, end, plan.start_us().is_some())),
        response_at_peak: (&sums.at_peak.response()).into(),
        steps: sums.steps.map(|steps| steps.done).unwrap_or_default(),
        tool,
        ..figures_of(&sums.total)
    };
    let findings = judge::findings(scenario, &figures);
    Ok(Outcome {
        version: Outcome::VERSION,
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        url: url.clone(),
        time_scale: options.time_scale,
        changes: options.changes.clone(),
        started_at: i64::try_from(started.as_millis()).unwrap_or(i64::MAX),
        interrupted,
        passed: findings.iter().all(|finding| finding.verdict != Verdict::Fail),
        findings,
        figures,
        timeline: sums.timeline.points(),
    })
}

/// What the threads' seconds add up to.
#[derive(Default)]
struct Sums {
    total: Tally,
    second: Box<Tally>,
    timeline: Timeline,
    at_peak: Peak,
    watch: Option<Watch>,
    steps: Option<Steps>,
    /// Of each thread.
    open: Vec<u32>,
    peak: u32,
}

impl Sums {
    /// Until every thread is done. Answers whether the run was interrupted.
    fn follow(
        &mut self,
        setup: &Setup,
        news: &Receiver<News>,
        stop: &AtomicBool,
        tell: &mut impl FnMut(&Progress),
    ) -> bool {
        let mut next = 1;
        let mut interrupted = false;
        loop {
            match news.recv_timeout(Duration::from_millis(100)) {
                Ok(news) => self.add(setup, news),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return interrupted,
            }
            if stop.load(Relaxed) && !interrupted {
                interrupted = true;
                setup.orders.finish.store(true, Relaxed);
            }
            let at = setup.origin.elapsed();
            if at.as_secs() >= next {
                next = at.as_secs() + 1;
                self.sample(at);
                let now_us = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
                let plan = &setup.plan;
                tell(&Progress {
                    at,
                    of: Duration::from_micros(plan.last_us()),
                    open: self.open.iter().sum(),
                    second: std::mem::take(&mut self.second),
                    total: self.total.counts,
                    rate: plan.step_span(plan.step(now_us)).map(|(_, _, rate)| rate),
                });
            }
        }
    }

    fn add(&mut self, setup: &Setup, news: News) {
        let News { second, thread, open, peak, tally } = news;
        let counts = tally.counts;
        self.timeline.load(second, thread, &tally.latency, counts.delivered, counts.sent, peak);
        self.at_peak.second(second, &tally);
        self.open[thread] = open;
        self.peak = self.peak.max(self.open.iter().sum());
        self.total.merge(&tally);
        self.second.merge(&tally);
        if let Some(steps) = &mut self.steps
            && !setup.orders.finish.load(Relaxed)
            && !steps.second(second, &tally)
        {
            setup.orders.finish.store(true, Relaxed);
        }
    }

    fn sample(&mut self, at: Duration) {
        let second = at.as_secs();
        let open = self.open.iter().sum();
        let with_pss = second.is_multiple_of(2);
        let watch = self.watch.as_mut();
        let since =
            watch.and_then(|w| w.sample(at.as_secs_f64(), open, self.total.counts.delivered, with_pss));
        if let Some(since) = since {
            self.timeline.usage(second.saturating_sub(1), since.usage, since.cpu);
        }
    }
}
