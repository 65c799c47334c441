//! Deterministic randomness: a generator for each (seed, subject, number), so that row 17 of a table or step 4711 of a
//! workload is the same whenever it is asked for, without what came before.

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
pub struct Dice(u64);

impl Dice {
    /// `subject` keeps the numbers of different uses apart.
    pub fn new(seed: u64, subject: u64, number: u64) -> Self {
        let mut dice = Self(seed ^ subject.wrapping_mul(0xa076_1d64_78bd_642f));
        let start = dice.next();
        Self(start ^ number.wrapping_mul(0xe703_7ed1_a0b4_28db))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to, not including, `bound` (at least 1).
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound.max(1))) >> 64) as u64
    }

    pub fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// A random (version 4) UUID.
    pub fn uuid(&mut self) -> uuid::Uuid {
        let bits = (u128::from(self.next()) << 64) | u128::from(self.next());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }
}
