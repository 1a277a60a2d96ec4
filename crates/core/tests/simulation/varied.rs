//! Worlds whose rate varies, and how soon a breach is found. Printed for a reader; nothing here has a bound.

use super::{
    chance::Chance,
    false_incidents::{One, in_parallel, one},
    ratio_run::{ERRORS, run, usual},
    world::{Errors, MONTH, Truth, day, draw, drift, flat, outages},
};

type World = (&'static str, fn(&mut Chance) -> Vec<Truth>);

const WORLDS: [World; 6] = [
    ("day, errors 0.375 to 0.75 % at night", |_| day(MONTH, 0.00375, 0.0075)),
    ("day, errors 0.45 to 0.9 % at night", |_| day(MONTH, 0.0045, 0.009)),
    ("drift from 0.1 to 0.9 % in 3 days", |_| drift(MONTH, 0.001, 0.009)),
    ("0.1 % and 4 short outages a day", |chance| outages(chance, MONTH, 0.001, 4.0)),
    ("0.1 % and 24 short outages a day", |chance| outages(chance, MONTH, 0.001, 24.0)),
    ("0.4 % and 12 short outages a day", |chance| outages(chance, MONTH, 0.004, 12.0)),
];

pub fn print_worlds(seed: u64, months: u64) {
    let cells: Vec<(usize, Errors, u64)> = (0..WORLDS.len())
        .flat_map(|world| {
            let errors: &[Errors] =
                if world < 3 { &[Errors::Independent, Errors::Bursts(3.0)] } else { &[Errors::Independent] };
            errors
                .iter()
                .flat_map(move |errors| [100, 1_000, 10_000].map(move |events| (world, *errors, events)))
        })
        .collect();
    let rows = in_parallel(&cells, |(world, errors, events)| {
        let (name, make) = WORLDS[*world];
        let (mut fires, mut real, mut others) = (0, 0, 0);
        for month in 0..months {
            let mut chance = Chance::new(seed, &[2, *world as u64, errors.number(), *events, month]);
            let truth = make(&mut chance);
            let One { incidents, real: of_them, usual, .. } =
                one(&mut chance, &truth, ERRORS, *events, *errors);
            (fires, real, others) = (fires + incidents.len(), real + of_them, others + usual);
        }
        format!(
            "{name}, {events} events in 5 min, {}: {fires} in {months} months, {real} of them real; usual rule {:.1} a month",
            errors.shown(),
            others as f64 / months as f64,
        )
    });
    rows.iter().for_each(|row| println!("{row}"));
}

/// Minutes from the moment at which the rate rises until the rule fires: median, 95th percentile, share not found in 3 h.
pub fn print_delays(seed: u64, repeats: u64) {
    let cells: Vec<(Errors, u64, u64)> = [Errors::Independent, Errors::Bursts(3.0)]
        .into_iter()
        .flat_map(|errors| {
            let rates = [2, 5, 20, 100];
            [100, 300, 1_000, 3_000, 10_000]
                .into_iter()
                .flat_map(move |n| rates.map(move |to| (errors, n, to)))
        })
        .collect();
    let rows = in_parallel(&cells, |(errors, events, percent)| {
        let rule = ERRORS.compiled();
        let (duration, a_bucket) = (ERRORS.buckets(), *events as f64 / ERRORS.buckets() as f64);
        let mut chance = Chance::new(seed, &[4, errors.number(), *events, *percent]);
        let week = draw(&mut chance, &flat(62_280, 0.001), a_bucket, *errors);
        let phi = run(&rule, &week, None).phi;
        let (mut ours, mut others) = (Vec::new(), Vec::new());
        for _ in 0..repeats {
            let before = 15 * duration;
            let mut world = flat(before + 1_080, 0.001);
            world[before..].iter_mut().for_each(|truth| truth.failing = *percent as f64 / 100.0);
            let series = draw(&mut chance, &world, a_bucket, *errors);
            let first = run(&rule, &series, Some(phi)).incidents.into_iter().find(|of| of.opened >= before);
            ours.push(first.map(|of| of.opened - before + 1));
            others.push(usual(ERRORS, &series).1.filter(|at| *at >= before).map(|at| at - before + 1));
        }
        format!(
            "0.1 to {percent} %, {events} events in 5 min, {}: {}; usual rule {}",
            errors.shown(),
            shown(ours),
            shown(others)
        )
    });
    rows.iter().for_each(|row| println!("{row}"));
}

fn shown(mut buckets: Vec<Option<usize>>) -> String {
    buckets.sort_by_key(|of| of.unwrap_or(usize::MAX));
    let minutes = |share: f64| {
        let at = (share * buckets.len() as f64) as usize;
        let of = buckets.get(at).copied().flatten();
        of.map_or_else(|| "over 180".to_owned(), |of| format!("{:.1}", of as f64 / 6.0))
    };
    let missed = buckets.iter().filter(|of| of.is_none()).count();
    format!("{} min, 95 % in {} min, {missed} of {} not in 3 h", minutes(0.5), minutes(0.95), buckets.len())
}
