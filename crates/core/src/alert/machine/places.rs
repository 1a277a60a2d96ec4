//! A rule over its places: all nodes together, or each node by itself, of which the worst one is the rule's.

use super::{
    super::{
        buckets::{History, Tally},
        dispersion::{Bursts, Minute, Phi, Span, incident_start},
        literal::{LiteralRow, LiteralRule, Seen},
        reason::{Plain, Reason},
        share,
        state::{Phase, Resolved, Row, Sight, Transition},
    },
    gauge::Gauge,
    kind::Kind,
    reading::{Opened, Part},
    stored::{Fault, State, Stored, StoredPlace},
};
use std::{cmp::Reverse, collections::BTreeMap};

/// How a rule is run, whatever its kind.
pub(super) struct Manner {
    /// Seconds of a bucket.
    pub step: i64,
    /// Judgements that must be good before it resolves.
    pub hold: u32,
    pub literal: Option<LiteralRule>,
    /// The comparison and threshold in words, and its unit.
    pub condition: String,
    pub unit: &'static str,
}

impl Manner {
    fn fresh(&self) -> State {
        match self.literal {
            Some(_) => State::Literal(LiteralRow::default()),
            None => State::Robust(Row::of_step(self.hold, self.step)),
        }
    }
}

/// What happened in one bucket.
pub(super) struct Event {
    pub transition: Transition,
    pub value: Option<f64>,
    pub reason: String,
    pub node: Option<String>,
}

/// How it stands. Times are buckets.
pub(super) struct Standing {
    pub phase: Phase,
    pub since: Option<i64>,
    pub blind: Option<i64>,
    pub value: Option<f64>,
    pub reason: String,
    pub node: Option<String>,
    pub n: u64,
    pub phi: Option<Phi>,
}

pub(super) trait Run: Send {
    fn keep(&self) -> usize;
    fn knows_bursts(&self) -> bool;
    fn newest(&self) -> Option<i64>;
    fn fill(&mut self, index: i64, opened: &Opened);
    fn fill_minute(&mut self, minute: i64, opened: &Opened);
    fn judge(&mut self, index: i64, opened: &Opened) -> Vec<Event>;
    fn standing(&self) -> Standing;
    /// The worst place's value.
    fn value(&self) -> Option<f64>;
    /// Events or samples of all buckets that were judged since it was made.
    fn judged(&self) -> u64;
    /// From now on it tells no percentile or level, which cost more than the judgement.
    fn drop_value(&mut self);
    /// The least count of bad events that is evidence in so many. `None`: the rule counts none.
    fn least_bad(&self, n: u64) -> Option<u64>;
    /// Whether what was fired then counts as a fault.
    fn count_fault(&mut self, fired: i64, counts: bool);
    fn stored(&self) -> Stored;
    fn restore(&mut self, stored: Stored);
}

struct Place<B> {
    history: History<B>,
    gauge: Gauge,
    state: State,
    /// Buckets in succession that it was missing from while others were present.
    absent: u32,
    rank: (bool, bool, u128),
}

pub(super) struct Places<K: Kind> {
    kind: K,
    manner: Manner,
    /// By node; one with an empty name stands for all together.
    places: BTreeMap<String, Place<K::Bucket>>,
    sight: Sight,
    since: Option<i64>,
    bursts: Bursts,
    /// The hour at which phi was measured last.
    phi_hour: Option<i64>,
    faults: Vec<Fault>,
    judged: u64,
    /// False for a machine whose value nobody asks for, which then costs less.
    tells_value: bool,
}

/// Faults are kept as long as phi looks back.
const FAULTS: i64 = 171 * 3_600;

impl<K: Kind> Places<K> {
    pub fn new(kind: K, manner: Manner) -> Self {
        Self {
            kind,
            manner,
            places: BTreeMap::new(),
            sight: Sight::default(),
            since: None,
            bursts: Bursts::default(),
            phi_hour: None,
            faults: Vec::new(),
            judged: 0,
            tells_value: true,
        }
    }

    fn gauge(&self) -> Gauge {
        if self.tells_value { self.kind.gauge() } else { Gauge::None }
    }

    /// Takes a present bucket of one place.
    fn see(&mut self, name: &str, index: i64, part: &Part) -> Option<K::Bucket> {
        if !self.places.contains_key(name) {
            let place = Place::new(&self.kind, self.gauge(), self.manner.fresh(), 0);
            self.places.insert(name.to_owned(), place);
        }
        let Self { kind, places, .. } = self;
        let place = places.get_mut(name)?;
        place.see(kind, index, part)
    }

    fn phase(&self) -> Phase {
        self.places
            .values()
            .map(|place| place.state.phase())
            .max_by_key(|phase| weight(*phase))
            .unwrap_or_default()
    }

    /// The worst place, by name among equals.
    fn worst(&self) -> Option<(&String, &Place<K::Bucket>)> {
        self.places
            .iter()
            .max_by_key(|(name, place)| (weight(place.state.phase()), place.rank, Reverse(*name)))
    }

    fn event(&self, transition: Transition, node: Option<(&String, &Place<K::Bucket>)>) -> Event {
        let value = node.and_then(|(_, place)| place.value(&self.kind));
        let reason = node.map(|(_, place)| place.reason(&self.kind, &self.manner)).unwrap_or_default();
        let node = node.map(|(name, _)| name.clone()).filter(|name| !name.is_empty());
        Event { transition, value, reason, node }
    }

    /// At the first judgement of each full hour.
    fn measure_bursts(&mut self, index: i64) {
        let hour = (index * self.manner.step).div_euclid(3_600);
        let Some(critical) = self.kind.critical() else { return };
        if self.phi_hour.is_some_and(|measured| measured >= hour) {
            return;
        }
        self.phi_hour = Some(hour);
        let spans: Vec<Span> = self.faults.iter().filter(|fault| fault.counts).map(Fault::span).collect();
        let Some(phi) = self.bursts.phi(hour, &spans, critical) else { return };
        let gauge = self.gauge();
        let Self { kind, manner, places, .. } = self;
        let place = places.entry(String::new()).or_insert_with(|| Place::new(kind, gauge, manner.fresh(), 0));
        if let State::Robust(row) = &mut place.state {
            row.phi = phi;
        }
    }

    /// Places that sent nothing for the hold while others did. They would stay for ever as they are.
    fn remove_gone(&mut self, index: i64) -> Option<(String, Place<K::Bucket>)> {
        let hold = self.manner.hold.max((300 / self.manner.step) as u32);
        let mut gone = Vec::new();
        for (name, place) in &mut self.places {
            place.absent =
                if place.history.newest() == Some(index) { 0 } else { place.absent.saturating_add(1) };
            if place.absent >= hold {
                gone.push(name.clone());
            }
        }
        let removed = gone.into_iter().filter_map(|name| self.places.remove_entry(&name));
        removed.max_by_key(|(_, place)| weight(place.state.phase()))
    }

    fn remember_fault(&mut self, index: i64, transition: Transition) {
        if self.kind.critical().is_none() {
            return;
        }
        let step = self.manner.step;
        match transition {
            Transition::Fired => {
                let Some(place) = self.places.get("") else { return };
                let window = match &place.state {
                    State::Robust(row) => row.window.unwrap_or_else(|| self.kind.span()),
                    State::Literal(_) => self.kind.span(),
                };
                let age = incident_start(window);
                let from = place.history.index(age).unwrap_or(index - age as i64);
                self.faults.retain(|fault| fault.to.is_none_or(|to| to > index * step - FAULTS));
                let fault = Fault { fired: (index + 1) * step, from: from * step, to: None, counts: true };
                self.bursts.forget(fault.span());
                self.faults.push(fault);
            }
            Transition::Resolved(_) => {
                if let Some(fault) = self.faults.last_mut().filter(|fault| fault.to.is_none()) {
                    fault.to = Some((index + 1) * step);
                }
            }
            _ => {}
        }
    }

    /// The rule's transitions, out of what it was before and is now.
    fn transitions(before: Phase, after: Phase, resolved: Option<Resolved>) -> Vec<Transition> {
        let fires = |phase| matches!(phase, Phase::Firing | Phase::Recovering);
        let mut all = Vec::new();
        match (fires(before), fires(after)) {
            (false, true) => all.push(Transition::Fired),
            (true, false) => all.push(Transition::Resolved(resolved.unwrap_or(Resolved::Confirmed))),
            (true, true) if before != after => all.push(match after {
                Phase::Recovering => Transition::Recovering,
                _ => Transition::Relapsed,
            }),
            (false, false) if before == Phase::Pending && after == Phase::Ok => all.push(Transition::Calm),
            _ => {}
        }
        if after == Phase::Pending && before != Phase::Pending {
            all.push(Transition::Pending);
        }
        all
    }
}

impl<K: Kind> Run for Places<K> {
    fn keep(&self) -> usize {
        self.kind.keep()
    }

    fn knows_bursts(&self) -> bool {
        self.kind.critical().is_some() && self.manner.literal.is_none()
    }

    fn newest(&self) -> Option<i64> {
        self.sight.newest
    }

    fn fill(&mut self, index: i64, opened: &Opened) {
        for (name, sample) in opened.parts() {
            self.see(name, index, sample);
        }
    }

    fn fill_minute(&mut self, minute: i64, opened: &Opened) {
        if !self.knows_bursts() {
            return;
        }
        for (_, sample) in opened.parts() {
            let counts = self.kind.events(&self.kind.read(minute, sample, &mut Gauge::None));
            self.bursts.add(Minute { minute, n: counts.n, bad: counts.bad });
        }
    }

    fn judge(&mut self, index: i64, opened: &Opened) -> Vec<Event> {
        if self.sight.newest.is_some_and(|newest| index <= newest) {
            return Vec::new();
        }
        if opened.is_missing() {
            let blind = self.sight.missing(index, self.manner.step);
            return blind.then(|| self.event(Transition::Blind, self.worst())).into_iter().collect();
        }
        let mut events = Vec::new();
        let seeing = self.sight.seen(index);
        self.measure_bursts(index);
        let before = self.phase();
        let was_worst = self.worst().map(|(name, _)| name.clone());
        let mut resolved = None;
        for (name, sample) in opened.parts() {
            let Some(bucket) = self.see(name, index, sample) else { continue };
            let Self { kind, manner, places, .. } = self;
            let Some(place) = places.get_mut(name) else { continue };
            if let Some(Transition::Resolved(how)) = place.advance(kind, manner, index) {
                resolved = Some(how);
            }
            self.judged = self.judged.saturating_add(kind.size(&bucket));
            if manner.literal.is_none() && kind.critical().is_some() {
                let counts = kind.events(&bucket);
                let minute = (index * manner.step).div_euclid(60);
                self.bursts.add(Minute { minute, n: counts.n, bad: counts.bad });
            }
        }
        let gone = self.remove_gone(index);
        if gone.is_some() && resolved.is_none() {
            resolved = Some(Resolved::NodeGone);
        }
        if seeing {
            events.push(self.event(Transition::Seeing, self.worst()));
        }
        for transition in Self::transitions(before, self.phase(), resolved) {
            // An incident ends at the node that it was about.
            let of_before =
                matches!(transition, Transition::Resolved(_)).then_some(was_worst.as_ref()).flatten();
            let place = match (of_before, &gone) {
                (Some(name), Some((of, place))) if name == of => Some((of, place)),
                (Some(name), _) => self.places.get_key_value(name).or_else(|| self.worst()),
                (None, _) => self.worst(),
            };
            events.push(self.event(transition, place));
            self.remember_fault(index, transition);
            self.since = Some(index);
        }
        events
    }

    fn standing(&self) -> Standing {
        let worst = self.worst();
        let of = self.event(Transition::Seeing, worst);
        let phi = self.knows_bursts().then(|| worst.and_then(|(_, place)| place.state.phi())).flatten();
        Standing {
            phase: self.phase(),
            since: self.since,
            blind: self.sight.blind,
            value: of.value,
            reason: of.reason,
            node: of.node,
            n: worst.map(|(_, place)| self.kind.n(&place.history)).unwrap_or_default(),
            phi,
        }
    }

    fn value(&self) -> Option<f64> {
        self.worst().and_then(|(_, place)| place.value(&self.kind))
    }

    fn judged(&self) -> u64 {
        self.judged
    }

    fn drop_value(&mut self) {
        self.tells_value = false;
        self.places.values_mut().for_each(|place| place.gauge = Gauge::None);
    }

    fn least_bad(&self, n: u64) -> Option<u64> {
        let critical = self.kind.critical().filter(|_| self.knows_bursts())?;
        let phi = self.worst().and_then(|(_, place)| place.state.phi()).unwrap_or(Phi::PRIOR);
        Some(phi.thick(critical.least(phi.thin(n))))
    }

    fn count_fault(&mut self, fired: i64, counts: bool) {
        let Self { faults, bursts, .. } = self;
        for fault in faults.iter_mut().filter(|fault| fault.fired == fired && fault.counts != counts) {
            fault.counts = counts;
            bursts.forget(fault.span());
        }
    }

    fn stored(&self) -> Stored {
        let place = |(name, place): (&String, &Place<K::Bucket>)| {
            (name.clone(), StoredPlace { state: place.state.clone(), absent: place.absent })
        };
        Stored {
            step: self.manner.step,
            shift: 0,
            newest: self.sight.newest,
            blind: self.sight.blind,
            since: self.since,
            phi_hour: self.phi_hour,
            faults: self.faults.clone(),
            places: self.places.iter().map(place).collect(),
        }
    }

    /// `stored` is of the same step, and of the same places where that matters.
    fn restore(&mut self, stored: Stored) {
        self.sight = Sight { newest: stored.newest, blind: stored.blind };
        self.since = stored.since;
        self.phi_hour = stored.phi_hour;
        self.faults = stored.faults;
        self.places.clear();
        for (name, place) in stored.places {
            let state =
                place.state.of_mode(self.manner.literal.is_some(), self.manner.step, self.manner.hold);
            let place = Place::new(&self.kind, self.gauge(), state, place.absent);
            self.places.insert(name, place);
        }
    }
}

impl<B: Tally> Place<B> {
    fn new<K: Kind<Bucket = B>>(kind: &K, gauge: Gauge, state: State, absent: u32) -> Self {
        Self { history: History::new(kind.keep()), gauge, state, absent, rank: Default::default() }
    }

    /// `None` if it is not newer than what is known.
    fn see<K: Kind<Bucket = B>>(&mut self, kind: &K, index: i64, part: &Part) -> Option<B> {
        if self.history.newest().is_some_and(|newest| index <= newest) {
            return None;
        }
        let bucket = kind.read(index, part, &mut self.gauge);
        self.history.push(index, bucket).then_some(bucket)
    }

    fn advance<K: Kind<Bucket = B>>(&mut self, kind: &K, manner: &Manner, index: i64) -> Option<Transition> {
        match (&mut self.state, &manner.literal) {
            (State::Literal(row), Some(rule)) => {
                let buckets = literal_buckets(kind, &self.history);
                let holds = buckets > 0 && kind.holds(&self.history, &self.gauge, buckets);
                let seen = if holds { Seen::True } else { Seen::False };
                self.rank = (holds, holds, 0);
                row.step(rule, (index + 1) * manner.step * 1_000, seen)
            }
            (State::Robust(row), _) => {
                let verdict = kind.judge(&self.history, row);
                self.rank = share::rank(&verdict);
                row.advance(index, &verdict, manner.hold)
            }
            // A literal row is restored for a literal rule alone.
            (State::Literal(_), None) => None,
        }
    }

    fn value<K: Kind<Bucket = B>>(&self, kind: &K) -> Option<f64> {
        kind.value(&self.history, &self.gauge, kind.span())
    }

    fn reason<K: Kind<Bucket = B>>(&self, kind: &K, manner: &Manner) -> String {
        let row = match &self.state {
            State::Robust(row) => row,
            State::Literal(_) => {
                let buckets = literal_buckets(kind, &self.history);
                let seconds = buckets as i64 * manner.step;
                let value = kind.value(&self.history, &self.gauge, buckets);
                let holds = buckets > 0 && kind.holds(&self.history, &self.gauge, buckets);
                let (condition, unit) = (manner.condition.clone(), manner.unit);
                return Reason::Plain(Plain { value, seconds, condition, unit, holds }).to_string();
            }
        };
        kind.judge(&self.history, row).reason.to_string()
    }
}

/// What the plain condition is asked of: a level's newest bucket; of what is counted the present buckets of the duration,
/// as `rate[5m]` has them.
fn literal_buckets<K: Kind>(kind: &K, history: &History<K::Bucket>) -> usize {
    if kind.is_level() {
        return history.len().min(1);
    }
    let newest = history.newest().unwrap_or_default();
    history.since(newest - kind.span() as i64 + 1)
}

fn weight(phase: Phase) -> u8 {
    match phase {
        Phase::Ok => 0,
        Phase::Pending => 1,
        Phase::Recovering => 2,
        Phase::Firing => 3,
    }
}
