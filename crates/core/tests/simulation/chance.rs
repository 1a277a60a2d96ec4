//! Seeded randomness: the same seed gives the same world on every machine.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution, Geometric, Poisson, StandardNormal};

pub struct Chance(ChaCha8Rng);

impl Chance {
    /// `of`: which part of the simulation. Each has numbers of its own, so that a new cell changes no other.
    pub fn new(seed: u64, of: &[u64]) -> Chance {
        let mixed = of.iter().fold(seed, |mixed, part| splitmix(mixed ^ splitmix(*part)));
        Chance(ChaCha8Rng::seed_from_u64(mixed))
    }

    /// From 0 (inclusive) to 1 (exclusive).
    pub fn share(&mut self) -> f64 {
        self.0.random()
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.share()
    }

    pub fn poisson(&mut self, mean: f64) -> u64 {
        Poisson::new(mean).map_or(0, |of| of.sample(&mut self.0) as u64)
    }

    pub fn binomial(&mut self, n: u64, share: f64) -> u64 {
        Binomial::new(n, share.clamp(0.0, 1.0)).map_or(0, |of| of.sample(&mut self.0))
    }

    /// How many events a burst has: at least one, `mean` on average.
    pub fn burst(&mut self, mean: f64) -> u64 {
        1 + Geometric::new(1.0 / mean).map_or(0, |of| of.sample(&mut self.0))
    }

    /// Of the standard normal distribution.
    pub fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }
}

fn splitmix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}
