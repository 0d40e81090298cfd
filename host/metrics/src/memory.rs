//! How freed memory is kept for the next image.

/// Asks the C library to keep what images free for the images that follow. Without it, glibc gives some megabytes back to the system
/// after each image and faults them in again for the next, a fifth of the time that decoding and hashing take together.
///
/// glibc raises its thresholds when a large block is freed: "M_MMAP_THRESHOLD ... dynamic adjustment" in mallopt(3). To be called once, at
/// the start of a program; elsewhere it does nothing of note.
pub fn keep_freed() {
    /// A little below the largest block that still raises the thresholds (32 MiB on 64-bit systems).
    const BLOCK: usize = (32 << 20) - (64 << 10);
    if cfg!(target_env = "gnu") {
        drop(std::hint::black_box(Vec::<u8>::with_capacity(std::hint::black_box(BLOCK))));
    }
}
