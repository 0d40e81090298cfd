//! How freed memory is kept for the next image.

/// Asks the C library to keep what images free for the images that follow, and to give back at once what is larger. Without it, glibc
/// gives some megabytes back to the system after each image and faults them in again for the next, a fifth of the time that decoding
/// and hashing take together; and what an inference runtime frees when it has loaded a network, up to 32 MiB a piece, it keeps for
/// good (0.1 GB for the decoder of Stable Diffusion 1.5).
///
/// To be called once, at the start of a program; on other systems it does nothing.
pub fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// Blocks from here on are the system's: larger than an image of 1024x1024 in 8 bits or its luma in 32, smaller than the
        /// weights that networks are large for.
        const OWN: libc::c_int = 8 << 20;
        /// So much may lie unused at the end of the heap.
        const UNUSED: libc::c_int = 64 << 20;
        #[expect(unsafe_code, reason = "settings of the C library")]
        // SAFETY: both set a number that is read under the allocator's own lock; a value that it does not take it refuses.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, OWN);
            libc::mallopt(libc::M_TRIM_THRESHOLD, UNUSED);
        }
    }
}
