//! Do the intervals hold what they promise? Seeded simulations of suites: prompts and seeds vary alike, two-sided 95 %.

use super::*;

const TRIALS: usize = 4_000;

/// Noise of mean 0 and standard deviation 1: normal, or skewed like a waiting time.
fn noise(random: &mut Random, skewed: bool) -> f64 {
    if skewed { -random.uniform().ln() - 1.0 } else { random.normal() }
}

/// How often the interval of the prompt means, and that of all images taken for independent, holds the true mean.
fn coverage(prompts: usize, seeds: usize, skewed: bool) -> (f64, f64) {
    let mut random = Random::new((prompts * 100 + seeds) as u64);
    let (mut by_prompt, mut naive) = (0, 0);
    let holds = |interval: Option<(f64, f64)>| interval.is_some_and(|(lower, upper)| lower <= 0.0 && 0.0 <= upper);
    for _ in 0..TRIALS {
        let mut all = Vec::with_capacity(prompts * seeds);
        let mut means = Vec::with_capacity(prompts);
        for _ in 0..prompts {
            let level = noise(&mut random, skewed);
            let images: Vec<f64> = (0..seeds).map(|_| level + noise(&mut random, skewed)).collect();
            means.push(mean(&images));
            all.extend(images);
        }
        by_prompt += usize::from(holds(student(&means, 0.975)));
        naive += usize::from(holds(student(&all, 0.975)));
    }
    (by_prompt as f64 / TRIALS as f64, naive as f64 / TRIALS as f64)
}

#[test]
fn intervals_over_prompts_hold_what_they_promise_and_naive_ones_do_not() {
    for prompts in [5, 10, 20, 50] {
        for (skewed, least) in [(false, 0.94), (true, 0.90)] {
            let (by_prompt, naive) = coverage(prompts, 4, skewed);
            assert!((least..0.965).contains(&by_prompt), "{prompts} prompts, skewed {skewed}: {by_prompt}");
            assert!((0.74..0.85).contains(&naive), "{prompts} prompts, skewed {skewed}, naive: {naive}");
        }
    }
}

#[test]
fn with_one_seed_both_are_the_same() {
    let (by_prompt, naive) = coverage(50, 1, false);
    assert_eq!(by_prompt, naive);
    assert!((0.94..0.96).contains(&by_prompt), "{by_prompt}");
}

#[test]
fn wilson_over_effective_images_holds_what_it_promises() {
    // Prompts differ in how often their images pass: 0.8 on average, from 0.6 to 1. One-sided, so 95 % at each end.
    let mut random = Random::new(3);
    let (mut below, mut naive_below, mut above) = (0, 0, 0);
    for _ in 0..TRIALS {
        let mut images = Vec::new();
        for prompt in
            ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"]
        {
            let share = if random.uniform() < 0.5 { 0.6 } else { 1.0 };
            images.extend((0..8).map(|_| (prompt, f64::from(u8::from(random.uniform() < share)))));
        }
        let grouped = ByPrompt::of(images);
        let share = mean(&grouped.means());
        let (lower, upper) = wilson(share, grouped.effective_images(), LEVEL);
        below += usize::from(lower <= 0.8);
        above += usize::from(upper >= 0.8);
        naive_below += usize::from(wilson(share, grouped.images() as f64, LEVEL).0 <= 0.8);
    }
    let share = |count: usize| count as f64 / TRIALS as f64;
    assert!((0.92..0.98).contains(&share(below)), "lower end: {}", share(below));
    assert!((0.92..0.98).contains(&share(above)), "upper end: {}", share(above));
    assert!(share(naive_below) < share(below) - 0.02, "images taken for independent: {}", share(naive_below));
}

#[test]
fn flipping_signs_errs_as_rarely_as_it_says() {
    let mut random = Random::new(11);
    let errors = (0..TRIALS).filter(|_| sign_flip(&(0..10).map(|_| random.normal()).collect::<Vec<_>>()) < 0.05);
    let rate = errors.count() as f64 / TRIALS as f64;
    assert!((0.035..0.06).contains(&rate), "{rate}");
}
