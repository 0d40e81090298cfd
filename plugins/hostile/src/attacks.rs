//! The attacks that take more than a line. Each ends by being stopped, or in [`succeeded`].

use std::hint::black_box;

use difftest_sdk::{Filter, Image, Score, log};

use crate::SUCCESS;

/// How an attack ends that nothing has stopped.
pub(crate) fn succeeded(what: &str) -> ! {
    panic!("{SUCCESS}: {what}")
}

/// Text that recolours, retitles, rewinds and reverses a terminal: CSI, OSC (title and link), a carriage return, a C1
/// control, a right-to-left override and a NUL.
pub(crate) fn escapes() -> String {
    let link = "\u{1b}]8;;https://example.invalid\u{7}link\u{1b}]8;;\u{7}";
    format!("\u{1b}[2J\u{1b}[31mred\u{1b}]0;owned\u{7}{link}\rPASSED\u{9b}1m\u{202e}desrever\0\u{8}")
}

/// Stopped by fuel.
pub(crate) fn endless_loop<T>() -> T {
    let mut rounds = 0u64;
    loop {
        rounds = black_box(rounds).wrapping_add(1);
        if rounds == u64::MAX {
            succeeded("counted to 2^64");
        }
    }
}

/// Stopped by the memory limit.
pub(crate) fn memory_bomb() {
    let mut hoard = Vec::new();
    for _ in 0..3 << 10 {
        hoard.push(black_box(vec![1u8; 1 << 20]));
    }
    succeeded(&format!("hoarded {} MiB", hoard.len()));
}

/// Stopped by the stack limit.
pub(crate) fn deep_recursion() {
    #[inline(never)]
    fn descend(depth: u32) -> u32 {
        if depth == 0 { 0 } else { black_box(descend(black_box(depth) - 1)) | 1 }
    }
    let bottom = descend(100_000_000);
    succeeded(&format!("came back from the bottom with {bottom}"));
}

/// Stopped by the limit on what one call may pass to the host.
pub(crate) fn huge_score() -> Score {
    (0..80 << 10).fold(Score::new(0.5), |score, _| score.detail("x".repeat(1 << 10), 0.5))
}

/// Stopped by the limit on handles.
pub(crate) fn handle_flood(image: &Image) {
    let hoard: Vec<Image> = (0..100_000).map(|_| image.resize(1, 1, Filter::Nearest)).collect();
    succeeded(&format!("holds {} images", hoard.len()));
}

/// Stopped by the budget for the host's own work: cheap for the guest's fuel, dear for the host.
pub(crate) fn host_call_flood(image: &Image) {
    let mut bytes = 0;
    for _ in 0..100_000 {
        bytes += image.resize(1024, 1024, Filter::Lanczos3).rows(0, 1).len();
    }
    succeeded(&format!("made the host compute 100,000 images and read {bytes} bytes of them"));
}

/// Stopped by the limit on the size of an image, before anything is allocated.
pub(crate) fn resize_bomb(image: &Image) {
    let large = image.resize(u32::MAX, u32::MAX, Filter::Nearest);
    succeeded(&format!("made an image of {:?}", large.size()));
}

/// Stopped because an image has pixels.
pub(crate) fn resize_zero(image: &Image) {
    let empty = image.resize(0, 0, Filter::Bilinear);
    succeeded(&format!("made an image of {:?}", empty.size()));
}

/// Goes through; the host keeps little of it, and none of the escapes.
pub(crate) fn log_flood() {
    for line in 0..10_000 {
        log::warn(format_args!("{line}{}\nsecond line", escapes()));
    }
    log::warn("x".repeat(1 << 20));
}

/// Goes through; the host keeps little of it, and none of the escapes.
#[expect(clippy::print_stderr, reason = "that is the attack")]
pub(crate) fn stderr_flood() {
    for line in 0..10_000 {
        eprintln!("{line}{}\nsecond line", escapes());
    }
    eprintln!("{}", "x".repeat(1 << 20));
}

/// Stopped because leaving is a trap: a plugin that ends early has not measured anything.
#[expect(clippy::exit, reason = "that is the attack")]
pub(crate) fn exit() {
    std::process::exit(0)
}
