//! The random words behind the noise.

/// The Mersenne Twister of Matsumoto and Nishimura (1998), 32 bits.
pub(super) struct Mt19937 {
    state: [u32; Self::N],
    next: usize,
}

impl Mt19937 {
    const N: usize = 624;
    const M: usize = 397;

    pub(super) fn new(seed: u32) -> Self {
        let mut state = [seed; Self::N];
        for j in 1..Self::N {
            let last = state[j - 1];
            state[j] = 1_812_433_253_u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(j as u32);
        }
        Self { state, next: Self::N }
    }

    fn twist(&mut self) {
        for i in 0..Self::N {
            let mixed = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % Self::N] & 0x7fff_ffff);
            let twisted = (mixed >> 1) ^ if mixed & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + Self::M) % Self::N] ^ twisted;
        }
        self.next = 0;
    }

    fn word(&mut self) -> u32 {
        if self.next == Self::N {
            self.twist();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// `[0, 1)` in steps of 2^-24.
    pub(super) fn uniform32(&mut self) -> f32 {
        (self.word() & 0x00ff_ffff) as f32 * (1.0 / 16_777_216.0)
    }

    /// `[0, 1)` in steps of 2^-53; the first word is the high one.
    pub(super) fn uniform64(&mut self) -> f64 {
        let (high, low) = (u64::from(self.word()), u64::from(self.word()));
        (((high << 32) | low) & ((1 << 53) - 1)) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_published_ones() {
        // the first outputs of MT19937 for its customary seed
        let mut words = Mt19937::new(5489);
        assert_eq!([words.word(), words.word(), words.word()], [3_499_211_612, 581_869_302, 3_890_346_734]);
    }
}
