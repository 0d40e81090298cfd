//! How often each 8-bit value occurs, and what that says.

/// Counts of the 256 values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram([u64; 256]);

impl Histogram {
    /// Counts `values`. Four tables take turns, so runs of one value do not wait for their own last store.
    #[must_use]
    pub fn of(values: &[u8]) -> Self {
        let mut tables = [[0_u32; 256]; 4];
        let mut counts = [0_u64; 256];
        // a block is short enough for 32-bit counters
        for block in values.chunks(1 << 30) {
            let mut fours = block.chunks_exact(4);
            for four in &mut fours {
                for (table, &value) in tables.iter_mut().zip(four) {
                    table[usize::from(value)] += 1;
                }
            }
            for &value in fours.remainder() {
                tables[0][usize::from(value)] += 1;
            }
            for table in &mut tables {
                for (total, count) in counts.iter_mut().zip(table) {
                    *total += u64::from(std::mem::take(count));
                }
            }
        }
        Self(counts)
    }

    /// Shannon entropy `-Σ p log2 p` in bits, from 0 (one value) to 8 (all values equally often); 0 for no values.
    #[must_use]
    pub fn entropy(&self) -> f64 {
        let total: u64 = self.0.iter().sum();
        if total == 0 {
            return 0.0;
        }
        let bits: f64 = self
            .0
            .iter()
            .filter(|&&count| count > 0)
            .map(|&count| {
                let share = count as f64 / total as f64;
                -share * share.log2()
            })
            .sum();
        // rounding may step past the ends by one unit in the last place; adding 0 turns -0 into 0
        bits.clamp(0.0, 8.0) + 0.0
    }
}
