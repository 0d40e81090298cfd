//! What a plugin may use. Every number is a default that a caller may lower or raise; none can be switched off.

use std::time::Duration;

/// Limits of one call into a plugin (`describe`, one `measure`, one page of prompts) unless a field says otherwise.
///
/// A call over a set of images has more to do the more images there are, so its budgets of fuel, credits and real time grow by a
/// fixed amount for each image of the set and of its reference; and a call about large images by one for each megapixel. Everything
/// else is the same for all calls.
///
/// The defaults admit what honest plugins need: a Python component starts 109 core instances in 38 modules with 12 MiB of
/// memory, a heavy metric spends some hundred instructions on each of four million pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// WebAssembly instructions, nearly: wasmtime's fuel, instantiation included. Default 8,000,000,000: two thousand for each
    /// pixel of a 4-megapixel image, and an endless loop ends within seconds. The same on every machine, unlike time.
    pub fuel: u64,
    /// Fuel on top of that for each whole megapixel (1,048,576 pixels) of the image and its reference together. Default
    /// 2,000,000,000: as much for each pixel of a large image as for one of a usual size.
    pub megapixel_fuel: u64,
    /// Fuel on top of that for each image, where a whole set is measured. Default 250,000,000: a thousand for each pixel of
    /// 512x512, or at 10,000 images every pair of two rows of 768 numbers ten times over.
    pub set_image_fuel: u64,
    /// A backstop in real time, for what fuel does not see. Default 60 s. Only a broken machine or a hole in the other limits
    /// should ever meet it, because it is the one limit that depends on the machine. The time that the host spends in models and
    /// in reading the images of a set does not count: credits bound that, and they are the same on a slow machine.
    pub wall_clock: Duration,
    /// Real time on top of that for each whole megapixel. Default 15 s.
    pub megapixel_time: Duration,
    /// Real time on top of that for each image, where a whole set is measured. Default 2 s: as much longer than its fuel lasts
    /// as `wall_clock` is longer than `fuel`.
    pub set_image_time: Duration,
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
    /// The same for a plugin that imports `wasi:nn`, whose tensors cross whole. Default 64 MiB: a float image of 2048x2048 and
    /// its shape.
    pub tensor_transfer_bytes: usize,
    /// Handles that the plugin may hold at once. Default 1,024.
    pub handles: usize,
    /// Host objects that may live at once: images made by `resize` or read from a set, tensors, graphs, their errors.
    /// Default 256.
    pub host_objects: usize,
    /// Bytes held for the plugin that may live at once: pixels made by `resize` and `luma8` or read from a set, rows on their way
    /// from a model, tensors. Default 256 MiB.
    pub host_bytes: usize,
    /// Pixels of one image made by `resize`, and of the intermediate between its two passes. Default 33,554,432.
    pub resize_pixels: u64,
    /// Longest side of an image made by `resize`. Default 16,384.
    pub resize_side: u32,
    /// Credits for work done in the host, where fuel does not burn; see [`Limits::CALL_CREDITS`] and its neighbours.
    /// Default 4,000,000,000: a few seconds of one core, or 40 images through a model.
    pub credits: u64,
    /// Credits on top of that for each image, where a whole set is measured. Default 300,000,000: to read and embed it twice.
    pub set_image_credits: u64,
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
    /// Characters of a prompt, and of a text that a model is to embed. Default 10,000.
    pub prompt_chars: usize,
    /// Prompts that may be asked for at once. Default 100,000.
    pub prompts: u32,
    /// Bytes of a component file. Default 64 MiB.
    pub component_bytes: u64,
    /// Functions of a component, all its modules together. Default 500,000.
    pub functions: u32,
    /// Bytes of one function's code: what compilers spend more than linear time on. Default 4 MiB.
    pub function_bytes: u64,
    /// Bytes of DWARF of a component, all its modules together: what gives backtraces their lines. Of a component with more than
    /// that none is used. Default 16 MiB, four times the line tables of a plugin with the standard library's. It is read anew
    /// for each frame of each trap, where neither fuel nor time is counted.
    pub debug_bytes: u64,
    /// Memory of the process that compiles a component. Default 2 GiB: a Python component of 18 MB needs 0.4.
    pub compile_memory: usize,
    /// Real time that compiling a component may take. Default 300 s: that Python component takes 7 on two idle cores, and took 58
    /// on the same two beside four other builds.
    pub compile_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 8_000_000_000,
            megapixel_fuel: 2_000_000_000,
            set_image_fuel: 250_000_000,
            megapixel_time: Duration::from_secs(15),
            wall_clock: Duration::from_secs(60),
            set_image_time: Duration::from_secs(2),
            memory_bytes: 256 << 20,
            table_elements: 200_000,
            instances: 256,
            memories: 32,
            tables: 64,
            transfer_bytes: 8 << 20,
            tensor_transfer_bytes: 64 << 20,
            handles: 1_024,
            host_objects: 256,
            host_bytes: 256 << 20,
            resize_pixels: 32 << 20,
            resize_side: 16_384,
            credits: 4_000_000_000,
            set_image_credits: 300_000_000,
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
            debug_bytes: 16 << 20,
            compile_memory: 2 << 30,
            compile_time: Duration::from_secs(300),
        }
    }
}

impl Limits {
    /// Native stack for WebAssembly frames. Threads that call plugins need room for it beside their own frames; rayon's and
    /// the standard library's 2 MiB are enough.
    pub const STACK_BYTES: usize = 512 << 10;
    /// Credits of any call of an import, however small: a flood of the cheapest one ends within seconds.
    pub const CALL_CREDITS: u64 = 1_000;
    /// Credits of one byte copied to the plugin or taken from it (`rgb8`, `rows`, `luma8`, rows of numbers, tensors).
    pub const BYTE_CREDITS: u64 = 1;
    /// Credits of one pixel read or made by `resize`, read from a set or weighed by `luma8`, and of one byte hashed by `digest`.
    pub const PIXEL_CREDITS: u64 = 8;
    /// Credits of reading one image of a set, besides its pixels: a file is opened, checked and decoded.
    pub const READ_CREDITS: u64 = 20_000_000;
    /// Credits of one text through a model. Like the next two it is one number for every model, and the same whether the host
    /// has the answer already or not: what a call costs depends on the call alone.
    pub const TEXT_CREDITS: u64 = 10_000_000;
    /// Credits of one image through a model.
    pub const EMBED_CREDITS: u64 = 100_000_000;
    /// Credits of one run of a graph, besides its bytes.
    pub const COMPUTE_CREDITS: u64 = 100_000_000;

    /// These limits with another amount of fuel.
    #[must_use]
    pub fn with_fuel(mut self, fuel: u64) -> Self {
        self.fuel = fuel;
        self
    }

    /// What a call about `pixels` of one image or pair may spend, or one about no pixels; `tensors` where the plugin imports
    /// `wasi:nn`.
    pub(crate) fn one(&self, tensors: bool, pixels: u64) -> Budget {
        let transfer = if tensors { self.tensor_transfer_bytes } else { self.transfer_bytes };
        let megapixels = u32::try_from(pixels >> 20).unwrap_or(u32::MAX);
        Budget {
            fuel: self.fuel.saturating_add(self.megapixel_fuel.saturating_mul(megapixels.into())),
            credits: self.credits,
            time: self.wall_clock.saturating_add(self.megapixel_time.saturating_mul(megapixels)),
            transfer,
        }
    }

    /// What a call over that many images may spend.
    pub(crate) fn set(&self, tensors: bool, images: usize) -> Budget {
        let images = u32::try_from(images).unwrap_or(u32::MAX);
        let many = u64::from(images);
        Budget {
            fuel: self.fuel.saturating_add(self.set_image_fuel.saturating_mul(many)),
            credits: self.credits.saturating_add(self.set_image_credits.saturating_mul(many)),
            time: self.wall_clock.saturating_add(self.set_image_time.saturating_mul(images)),
            ..self.one(tensors, 0)
        }
    }
}

/// What one call may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// WebAssembly instructions, nearly.
    pub(crate) fuel: u64,
    /// Work of the host.
    pub(crate) credits: u64,
    /// Real time outside of the host's models and files.
    pub(crate) time: Duration,
    /// Bytes of one crossing from the plugin to the host.
    pub(crate) transfer: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_of_large_images_grow_with_their_pixels() {
        let limits = Limits::default();
        assert_eq!(limits.one(false, (1 << 20) - 1), limits.one(false, 0));
        let pair = limits.one(false, 2 * 2048 * 2048);
        assert_eq!((pair.fuel, pair.time), (24_000_000_000, Duration::from_secs(180)));
        assert_eq!(limits.one(false, u64::MAX).fuel, 8_000_000_000 + 2_000_000_000 * u64::from(u32::MAX));
    }

    #[test]
    fn budgets_of_sets_grow_with_the_set_and_never_wrap() {
        let limits = Limits::default();
        assert_eq!(limits.set(false, 0), limits.one(false, 0));
        assert_eq!(limits.set(true, 0).transfer, 64 << 20);
        let many = limits.set(false, 10_000);
        assert_eq!((many.fuel, many.credits), (2_508_000_000_000, 3_004_000_000_000));
        assert_eq!((many.time, many.transfer), (Duration::from_secs(20_060), 8 << 20));
        let all = Limits { set_image_fuel: u64::MAX, set_image_time: Duration::MAX, ..limits }.set(false, usize::MAX);
        assert_eq!((all.fuel, all.time), (u64::MAX, Duration::MAX));
    }
}
