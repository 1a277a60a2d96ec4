//! A past for the demo: 90 days that nobody measured, written as retention would have left them. Each later day is there
//! before an earlier one, while the server already answers.

use super::{
    incidents,
    script::{BROWSERS, Chance, KINDS},
};
use crate::store::{Day, Fallen, Place, SessionNote, Store, StoreError, Traces, Written};
use std::{sync::Arc, time::Instant};
use streamgauge_core::{
    metric::{
        beacon::FallbackReason,
        fallback::browser,
        measure::{
            counters::Counter,
            packed::Packed,
            past::{Moment, Packer, Past, REGIONS, Trouble},
            tiers::TIERS,
        },
    },
    page::annotation::{Annotation, AnnotationKind},
    session::{
        cohort::Cohort,
        ids::{Epoch, EventId, SessionId},
        status::{Draft, State, StatusEvent},
    },
};
use tokio::{sync::mpsc, task::spawn_blocking};

/// The node that is said to have measured it, and the beginning of its sessions' ids: on every page, in every export.
pub const SEEDED: &str = "seeded";

const SEED: u64 = 20_261_129;
const TEN: i64 = TIERS[0];
const MINUTE: i64 = TIERS[1];
const HOUR: i64 = TIERS[2];
const DAY: i64 = TIERS[3];

/// How many days are made up, and of how many there are rows of each finer tier.
const DAYS: i64 = 90;
const MINUTE_DAYS: i64 = 35;
const TEN_DAYS: i64 = 3;
/// By region there is less: a database of a demo should be small.
const REGION_MINUTE_DAYS: i64 = 3;
const REGION_TEN_SECONDS: i64 = 2 * HOUR;
/// Days of which there are sessions, and fallbacks.
const SESSION_DAYS: i64 = 7;
const FALLBACK_DAYS: i64 = 30;

/// Writes what is missing of it. `until`: a whole minute, Unix seconds.
pub async fn write(store: &Store, until: i64) -> Result<(), StoreError> {
    let begun = Instant::now();
    let written = store.past().written().await?.unwrap_or(Written { until, from: until });
    let maker = Maker { past: Past::new(SEED, until), until };
    let today = day_of(maker.until);
    store
        .past()
        .leaves_out([today - (TEN_DAYS - 1) * DAY, today - (MINUTE_DAYS - 1) * DAY, maker.oldest()])
        .await?;
    store.alerts().write_made_up(&incidents::of(&maker.past)).await?;
    let oldest = maker.oldest();
    let (hand_over, mut days) = mpsc::channel(1);
    // A day is made while the one before it is written.
    let making = spawn_blocking(move || {
        let mut packer = Packer::default();
        let mut from = written.from;
        while from > oldest {
            from = day_of(from - 1);
            if hand_over.blocking_send(maker.day(&mut packer, from)).is_err() {
                return;
            }
        }
    });
    while let Some(day) = days.recv().await {
        store.past().write(SEEDED, &day).await?;
    }
    // It fails when the server stops: the next start goes on.
    if making.await.is_err() {
        return Ok(());
    }
    tracing::info!(days = DAYS, seconds = begun.elapsed().as_secs(), "the demo's past is written");
    Ok(())
}

fn day_of(at: i64) -> i64 {
    at - at.rem_euclid(DAY)
}

struct Maker {
    past: Past,
    until: i64,
}

impl Maker {
    fn oldest(&self) -> i64 {
        day_of(self.until) - (DAYS - 1) * DAY
    }

    /// The day that begins then, up to the past's end.
    fn day(&self, packer: &mut Packer, start: i64) -> Day {
        let written = Written { until: self.until, from: start };
        let mut day = Day { written, samples: Vec::new(), sessions: Vec::new(), traces: Traces::default() };
        let ago = (day_of(self.until) - start) / DAY;
        let mut whole: Option<Vec<Moment>> = None;
        let mut hour = start;
        while hour < (start + DAY).min(self.until) {
            let moments = self.hour(packer, hour, ago, &mut day.samples);
            if ago < SESSION_DAYS {
                self.sessions(&moments[1..], &mut day.sessions);
            }
            if ago < FALLBACK_DAYS {
                fallbacks(&moments[1..], &mut day.traces);
            }
            whole = Some(then(whole, &moments));
            hour += HOUR;
        }
        rows(packer, &mut day.samples, DAY, &whole.unwrap_or_default(), true);
        day.traces.annotations.extend(self.annotations(start));
        day
    }

    /// Rows of an hour and of all that is finer. Answers what happened in it: to all, and by region.
    fn hour(&self, packer: &mut Packer, start: i64, ago: i64, samples: &mut Vec<Packed>) -> Vec<Moment> {
        let step = if ago < TEN_DAYS {
            TEN
        } else if ago < MINUTE_DAYS {
            MINUTE
        } else {
            HOUR
        };
        let (mut hour, mut at) = (None, start);
        while at < (start + HOUR).min(self.until) {
            let mut minute = None;
            let end = (at + step.max(MINUTE)).min(self.until);
            while at < end {
                let moments = self.past.moments(at, step);
                if step == TEN {
                    samples.push(packer.pack(&moments[0], SEEDED, ""));
                    if at >= self.until - REGION_TEN_SECONDS {
                        let named = REGIONS.iter().zip(&moments[1..]);
                        samples.extend(named.map(|((name, ..), part)| packer.pack(part, SEEDED, name)));
                    }
                }
                minute = Some(then(minute, &moments));
                at += step;
            }
            let minute = minute.unwrap_or_default();
            if step < HOUR {
                rows(packer, samples, MINUTE, &minute, ago < REGION_MINUTE_DAYS);
            }
            hour = Some(then(hour, &minute));
        }
        let hour = hour.unwrap_or_default();
        rows(packer, samples, HOUR, &hour, true);
        hour
    }

    /// Sessions that began in that time.
    fn sessions(&self, regions: &[Moment], notes: &mut Vec<SessionNote>) {
        for ((region, ..), part) in REGIONS.iter().zip(regions) {
            let mut chance = Chance::seeded(part.start.unsigned_abs() * 31 + region.len() as u64);
            let mut failed = part.count(Counter::SessionsFailed);
            let mut abandoned = part.count(Counter::SessionsAbandoned);
            for number in 0..part.count(Counter::SessionsStarted) {
                let state = if failed > 0 {
                    failed -= 1;
                    State::Failed
                } else if abandoned > 0 {
                    abandoned -= 1;
                    State::Abandoned
                } else {
                    State::Completed
                };
                let started_at = part.start * 1_000 + chance.below(part.step * 1_000);
                let at = started_at + 120_000 + chance.below(1_500_000);
                // What began here may end after the past does: it is left out, and not half there.
                if at < self.until * 1_000
                    && let Ok(id) = format!("{SEEDED}-{}-{region}-{number}", part.start).parse::<SessionId>()
                {
                    let user = format!("u{}", chance.between(1, 400));
                    let cohort = if chance.percent(10) { Cohort::Poll } else { Cohort::Stream };
                    let event = Arc::new(last_event(&id, state, at, &mut chance));
                    notes.push(SessionNote {
                        kind: Some(chance.pick(&KINDS).to_owned()),
                        region: Some((*region).to_owned()),
                        user: Some(user),
                        started_at,
                        ..SessionNote::of_event(cohort, event)
                    });
                }
            }
        }
    }

    fn annotations(&self, day: i64) -> Vec<Annotation> {
        let one = |at, kind, text: &str| Annotation {
            id: 0,
            at,
            kind,
            node: String::new(),
            author: "the demo".to_owned(),
            text: text.to_owned(),
        };
        let deploys =
            self.past.deploys(DAYS).map(|at| one(at, AnnotationKind::Deploy, "made up: a new version"));
        let spells = self.past.spells().map(|spell| {
            let text = match spell.kind {
                Trouble::Errors => "made up: 3 % of deliveries were dropped for 24 minutes",
                Trouble::Slow => "made up: deliveries were late for 50 minutes",
                Trouble::Connects => "made up: ap-south could not connect for 42 minutes",
            };
            one(spell.from, AnnotationKind::Note, text)
        });
        let end = one(self.until, AnnotationKind::Note, "everything before is made up");
        let all = deploys.chain(spells).chain([end]);
        all.filter(|annotation| (day..day + DAY).contains(&annotation.at) && annotation.at <= self.until)
            .collect()
    }
}

/// What happened in both times.
fn then(sum: Option<Vec<Moment>>, next: &[Moment]) -> Vec<Moment> {
    match sum {
        None => next.to_vec(),
        Some(sum) => sum.into_iter().zip(next).map(|(sum, next)| sum.then(next)).collect(),
    }
}

/// The rows of a coarse bucket: the node's, and those of all nodes by region.
fn rows(packer: &mut Packer, samples: &mut Vec<Packed>, tier: i64, moments: &[Moment], by_region: bool) {
    let Some((all, regions)) = moments.split_first() else { return };
    let mut bucket = |moment: &Moment, node: &str, region: &str| {
        let mut row = packer.pack(moment, node, region);
        // The last bucket ends early, but is one of its tier.
        (row.start, row.step) = (moment.start - moment.start.rem_euclid(tier), tier);
        samples.push(row);
    };
    bucket(all, SEEDED, "");
    if by_region {
        REGIONS.iter().zip(regions).for_each(|((name, ..), part)| bucket(part, "", name));
    }
}

fn last_event(id: &SessionId, state: State, at: i64, chance: &mut Chance) -> StatusEvent {
    let seq = chance.between(30, 80);
    let (stage, progress) = match state {
        State::Completed => ("done", 100),
        State::Failed => ("failed", 61),
        _ => ("transcribing", 44),
    };
    let draft = Draft { state, stage: stage.into(), progress, message: None, data: None };
    let epoch = Epoch(u64::try_from(at).unwrap_or(1) * 1_000);
    StatusEvent::new(EventId { epoch, seq }, id.clone(), draft, at)
}

/// Pages that reported, and which of them fell back.
fn fallbacks(regions: &[Moment], traces: &mut Traces) {
    for ((region, ..), part) in REGIONS.iter().zip(regions) {
        let mut chance = Chance::seeded(part.start.unsigned_abs() * 17 + region.len() as u64);
        let place = |chance: &mut Chance| Place {
            browser: browser(chance.pick(&BROWSERS)).to_owned(),
            region: (*region).to_owned(),
            route: "/jobs/:id".to_owned(),
        };
        for _ in 0..part.count(Counter::StreamCohortSessions) {
            *traces.pages.entry((part.start, place(&mut chance))).or_default() += 1;
        }
        for (reason, counter) in [
            (FallbackReason::Buffered, Counter::FallbackBuffered),
            (FallbackReason::Watchdog, Counter::FallbackWatchdog),
            (FallbackReason::ConnectFailed, Counter::FallbackConnectFailed),
        ] {
            for number in 0..part.count(counter) {
                let Ok(session) = format!("{SEEDED}-{}-{region}-{number}", part.start).parse() else {
                    continue;
                };
                let at = part.start * 1_000 + chance.below(part.step * 1_000);
                traces.fallbacks.push(Fallen { at, session, reason, place: place(&mut chance) });
            }
        }
    }
}
