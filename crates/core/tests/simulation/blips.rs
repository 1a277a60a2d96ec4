//! Short total failures: which of them fire the rule.

use super::{
    chance::Chance,
    false_incidents::in_parallel,
    ratio_run::{ERRORS, Rule, run, usual},
    world::{Errors, draw, fail, flat},
};
use streamgauge_core::alert::dispersion::Phi;

#[derive(Clone, Copy, Debug)]
pub struct Blip {
    pub rule: Rule,
    /// In the rule's duration.
    pub events: u64,
    /// The true rate before and after, in tenths of the threshold.
    pub base_tenths: u64,
    pub seconds: u64,
    /// Percent that fail meanwhile.
    pub failing: u64,
}

pub struct Fired {
    pub blip: Blip,
    pub of: u64,
    pub ours: u64,
    pub usual: u64,
}

pub const VOLUMES: [u64; 4] = [100, 300, 1_000, 10_000];

pub fn blips(seconds: &[u64], volumes: &[u64], base_tenths: u64) -> Vec<Blip> {
    let of = |seconds| {
        volumes.iter().map(move |&events| Blip { rule: ERRORS, events, base_tenths, seconds, failing: 100 })
    };
    seconds.iter().copied().flat_map(of).collect()
}

pub fn all(seed: u64, blips: &[Blip], repeats: u64) -> Vec<Fired> {
    in_parallel(blips, |blip| fired(seed, *blip, repeats))
}

/// Each blip in a series of its own, at a random moment of a bucket, after a week that measured phi.
fn fired(seed: u64, blip: Blip, repeats: u64) -> Fired {
    let Blip { rule, events, base_tenths, seconds, failing } = blip;
    let (duration, compiled) = (rule.buckets(), rule.compiled());
    let base = rule.threshold() * base_tenths as f64 / 10.0;
    let a_bucket = events as f64 / duration as f64;
    let mut chance = Chance::new(seed, &[5, rule.seconds, events, base_tenths, seconds, failing]);
    let phis: Vec<Phi> = (0..4)
        .map(|_| {
            let week = draw(&mut chance, &flat(60_480 + 1_800, base), a_bucket, Errors::Independent);
            run(&compiled, &week, None).phi
        })
        .collect();
    let mut fired = Fired { blip, of: repeats, ours: 0, usual: 0 };
    for repeat in 0..repeats {
        let before = 15 * duration;
        let mut world = flat(before + 720, base);
        let at = before as f64 * 10.0 + chance.between(0.0, 10.0);
        fail(&mut world, at, seconds as f64, failing as f64 / 100.0 - base);
        let series = draw(&mut chance, &world, a_bucket, Errors::Independent);
        let run = run(&compiled, &series, Some(phis[repeat as usize % phis.len()]));
        fired.ours += u64::from(run.incidents.iter().any(|incident| incident.opened >= before));
        fired.usual += u64::from(usual(rule, &series).1.is_some_and(|first| first >= before));
    }
    fired
}

pub fn print(fired: &[Fired]) {
    for Fired { blip, of, ours, usual } in fired {
        println!(
            "{:>3} s in which {} % fail, base {:.1} of the threshold, {:>6} events in {} s: {ours:>4} of {of} fire; usual rule {usual:>4}",
            blip.seconds,
            blip.failing,
            blip.base_tenths as f64 / 10.0,
            blip.events,
            blip.rule.seconds,
        );
    }
}
