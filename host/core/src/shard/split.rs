//! Which case goes into which shard: a function of the frozen plan and the number of shards.

use super::{Frozen, Strategy};

/// What is never divided: a case, or a test as a whole.
struct Unit<'p> {
    /// What it is called, for its digest.
    name: &'p str,
    weight: f64,
    /// Its cases: suite, and index there.
    cases: (usize, std::ops::Range<usize>),
}

impl Frozen {
    /// For each suite, for each of its cases, the shard it is in, counted from 1. Every case is in exactly one.
    #[must_use]
    pub fn split(&self, of: u32) -> Vec<Vec<u32>> {
        let units = self.units();
        let shards = match self.strategy {
            Strategy::Time => by_time(&units, of),
            Strategy::Slice => by_slice(&units, of),
            Strategy::Hash => units.iter().map(|unit| by_hash(unit.name, of)).collect(),
        };
        let mut split: Vec<Vec<u32>> = self.suites.iter().map(|suite| vec![0; suite.cases().count()]).collect();
        for (unit, shard) in units.iter().zip(shards) {
            let (suite, cases) = &unit.cases;
            split[*suite][cases.clone()].fill(shard);
        }
        split
    }

    fn units(&self) -> Vec<Unit<'_>> {
        let mut units = Vec::new();
        for (suite, frozen) in self.suites.iter().enumerate() {
            let mut next = 0;
            if frozen.whole {
                let weight = frozen.cases().map(|case| case.weight).sum();
                let name = frozen.cases().next().map_or(frozen.name.as_str(), |case| case.id.as_str());
                units.push(Unit { name, weight, cases: (suite, 0..frozen.cases().count()) });
                continue;
            }
            for test in &frozen.tests {
                let first = next;
                next += test.cases.len();
                if test.whole && !test.cases.is_empty() {
                    let weight = test.cases.iter().map(|case| case.weight).sum();
                    // The first case names it: a test's own name would be the name of one in another suite, too.
                    units.push(Unit { name: &test.cases[0].id, weight, cases: (suite, first..next) });
                } else if !test.whole {
                    units.extend(test.cases.iter().enumerate().map(|(index, case)| {
                        let cases = (suite, first + index..first + index + 1);
                        Unit { name: &case.id, weight: case.weight, cases }
                    }));
                }
            }
        }
        units
    }
}

/// Graham's rule: the longest first, each to the shard with the least to do; never more than 4/3 - 1/(3n) of the best division.
fn by_time(units: &[Unit<'_>], of: u32) -> Vec<u32> {
    let mut order: Vec<usize> = (0..units.len()).collect();
    // A stable sort: what takes equally long stays in the order of the plan.
    order.sort_by(|&a, &b| units[b].weight.total_cmp(&units[a].weight));
    let mut loads = vec![(0.0_f64, 0_usize); of as usize];
    let mut shards = vec![1; units.len()];
    for unit in order {
        let least = loads.iter().enumerate().min_by(|(i, a), (j, b)| {
            // Without weights, the number of units decides; the first of equals.
            a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(i.cmp(j))
        });
        let shard = least.map_or(0, |(shard, _)| shard);
        loads[shard].0 += units[unit].weight;
        loads[shard].1 += 1;
        shards[unit] = u32::try_from(shard).unwrap_or(0) + 1;
    }
    shards
}

/// Each unit goes where its middle lies when the cases stand in a row that is cut into `of` equal pieces.
fn by_slice(units: &[Unit<'_>], of: u32) -> Vec<u32> {
    let total: u64 = units.iter().map(|unit| unit.cases.1.len() as u64).sum();
    let mut before = 0_u64;
    let shard = |unit: &Unit<'_>| {
        let length = unit.cases.1.len() as u64;
        let middle = 2 * before + length;
        before += length;
        // middle / (2 * total) lies in (0, 1), so this is less than `of`
        let shard = u128::from(middle) * u128::from(of) / u128::from((2 * total).max(1));
        u32::try_from(shard).unwrap_or(0).min(of - 1) + 1
    };
    units.iter().map(shard).collect()
}

/// The shard with the highest mark for this name: with one shard more, a case stays where it is or goes to the new one.
fn by_hash(name: &str, of: u32) -> u32 {
    let mut hasher = blake3::Hasher::new_derive_key("difftest 1 shard");
    hasher.update(name.as_bytes());
    let digest: [u8; 32] = *hasher.finalize().as_bytes();
    let (word, _) = digest.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
    let name = u64::from_le_bytes(*word);
    (1..=of).max_by_key(|&shard| mixed(name ^ mixed(u64::from(shard)))).unwrap_or(1)
}

/// The finalizer of `SplitMix64` (Steele, Lea and Flood 2014): every bit of the input decides over every bit of the output.
fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
