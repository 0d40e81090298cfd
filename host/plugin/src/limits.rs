//! What a plugin may use. Every number is a default that a caller may lower or raise; none can be switched off.

use std::time::Duration;

/// Limits of one call into a plugin (`describe`, one `measure`, one page of prompts) unless a field says otherwise.
///
/// The defaults admit what honest plugins need: a Python component starts 109 core instances in 38 modules with 12 MiB of
/// memory, a heavy metric spends some hundred instructions on each of four million pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// WebAssembly instructions, nearly: wasmtime's fuel, instantiation included. Default 8,000,000,000: two thousand for each
    /// pixel of a 4-megapixel image, and an endless loop ends within seconds. The same on every machine, unlike time.
    pub fuel: u64,
    /// A backstop in real time, for what fuel does not see. Default 60 s. Only a broken machine or a hole in the other limits
    /// should ever meet it, because it is the one limit that depends on the machine.
    pub wall_clock: Duration,
    /// Bytes of linear memory, all memories of the call together. Default 256 MiB.
    pub memory_bytes: usize,
    /// Entries of all tables together. Default 200,000.
    pub table_elements: usize,
    /// Core instances. Default 256.
    pub instances: usize,
    /// Linear memories. Default 32.
    pub memories: usize,
    /// Tables. Default 64.
    pub tables: usize,
    /// Bytes that one crossing from the plugin to the host may carry: arguments of an import, the result of an export, as the
    /// host stores them. Default 8 MiB.
    pub transfer_bytes: usize,
    /// Handles that the plugin may hold at once. Default 1,024.
    pub handles: usize,
    /// Host objects (images made by `resize`) that may live at once. Default 256.
    pub host_objects: usize,
    /// Bytes of pixels made for the plugin by `resize` and `luma8` that may live at once. Default 256 MiB.
    pub host_bytes: usize,
    /// Pixels of one image made by `resize`, and of the intermediate between its two passes. Default 33,554,432.
    pub resize_pixels: u64,
    /// Longest side of an image made by `resize`. Default 16,384.
    pub resize_side: u32,
    /// Credits for work done in the host, where fuel does not burn; see [`Limits::CALL_CREDITS`] and its neighbours.
    /// Default 4,000,000,000: a few seconds of one core.
    pub credits: u64,
    /// Lines kept of `log.emit`; the rest are counted. Default 64.
    pub log_lines: usize,
    /// Characters kept of one log line. Default 1,000.
    pub log_line_chars: usize,
    /// Bytes kept of what the plugin writes to its standard error. Default 8 KiB.
    pub stderr_bytes: usize,
    /// Details of one score. Default 256.
    pub details: usize,
    /// Metrics, and prompt generators, of one plugin. Default 256.
    pub described: usize,
    /// Bytes of one JSON Schema. Default 64 KiB.
    pub schema_bytes: usize,
    /// Characters of a prompt. Default 10,000.
    pub prompt_chars: usize,
    /// Prompts that may be asked for at once. Default 100,000.
    pub prompts: u32,
    /// Bytes of a component file. Default 64 MiB.
    pub component_bytes: u64,
    /// Functions of a component, all its modules together. Default 500,000.
    pub functions: u32,
    /// Bytes of one function's code: what compilers spend more than linear time on. Default 4 MiB.
    pub function_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 8_000_000_000,
            wall_clock: Duration::from_secs(60),
            memory_bytes: 256 << 20,
            table_elements: 200_000,
            instances: 256,
            memories: 32,
            tables: 64,
            transfer_bytes: 8 << 20,
            handles: 1_024,
            host_objects: 256,
            host_bytes: 256 << 20,
            resize_pixels: 32 << 20,
            resize_side: 16_384,
            credits: 4_000_000_000,
            log_lines: 64,
            log_line_chars: 1_000,
            stderr_bytes: 8 << 10,
            details: 256,
            described: 256,
            schema_bytes: 64 << 10,
            prompt_chars: 10_000,
            prompts: 100_000,
            component_bytes: 64 << 20,
            functions: 500_000,
            function_bytes: 4 << 20,
        }
    }
}

impl Limits {
    /// Native stack for WebAssembly frames. Threads that call plugins need room for it beside their own frames; rayon's and
    /// the standard library's 2 MiB are enough.
    pub const STACK_BYTES: usize = 512 << 10;
    /// Credits of any call of an import, however small: a flood of the cheapest one ends within seconds.
    pub const CALL_CREDITS: u64 = 1_000;
    /// Credits of one byte copied to the plugin (`rgb8`, `rows`, `luma8`).
    pub const BYTE_CREDITS: u64 = 1;
    /// Credits of one pixel read or made by `resize`, of one byte hashed by `digest`, and of one pixel weighed by `luma8`.
    pub const PIXEL_CREDITS: u64 = 8;

    /// These limits with another amount of fuel.
    #[must_use]
    pub fn with_fuel(mut self, fuel: u64) -> Self {
        self.fuel = fuel;
        self
    }
}
