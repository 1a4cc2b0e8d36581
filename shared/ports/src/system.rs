use jiff::Timestamp;
use ring::rand::SecureRandom as _;

use crate::{Clock, Random};

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The operating system's random generator, by way of ring.
#[derive(Clone, Debug)]
pub struct SystemRandom(ring::rand::SystemRandom);

impl SystemRandom {
    /// A handle on it; holds nothing.
    pub fn new() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

impl Default for SystemRandom {
    fn default() -> Self {
        Self::new()
    }
}

impl Random for SystemRandom {
    /// # Panics
    ///
    /// When the operating system has no randomness to give: there is no safe way on.
    fn fill(&self, bytes: &mut [u8]) {
        assert!(
            self.0.fill(bytes).is_ok(),
            "the operating system gave no randomness"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_whole_and_differently() {
        let random = SystemRandom::new();
        let (mut a, mut b) = ([0; 32], [0; 32]);
        random.fill(&mut a);
        random.fill(&mut b);
        assert_ne!(a, b);
        assert!((0.0..1.0).contains(&random.unit()));
    }
}
