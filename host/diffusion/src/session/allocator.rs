//! The allocator that the runtime calls: large blocks are [`Blocks`], small ones the program's own.
//!
//! Before what the runtime gets lie [`HEADER`] bytes that say how many were asked for and where they are from, which is all that giving
//! back needs: the runtime names an address only.
//!
//! The runtime does not look at the address, so there is no telling it that memory ran out but by an exception of C++. What cannot be
//! had is therefore asked of the runtime's own allocator, which throws one through the functions here into the runtime, where it
//! becomes the error of the call at hand: they unwind, and hold nothing that would have to be dropped.

use std::alloc::{Layout, alloc, dealloc};
use std::ffi::c_void;
use std::mem::transmute;
use std::ptr;
use std::sync::LazyLock;

use ort::AsPointer as _;
use ort::environment::Environment;
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::sys::{OrtAllocator, OrtMemoryInfo};

use super::blocks::Blocks;

/// From so many bytes on, a block is the system's. Smaller ones the program's allocator keeps well enough.
const LARGE: usize = 1 << 20;
/// Before each block. The runtime's kernels want addresses that are multiples of this.
const HEADER: usize = 64;

static BLOCKS: LazyLock<Blocks> = LazyLock::new(Blocks::default);

/// The header of a block.
#[derive(Clone, Copy)]
#[repr(C)]
struct Header {
    /// Bytes of the whole block.
    whole: usize,
    from: Origin,
}

#[derive(Clone, Copy)]
enum Origin {
    Blocks,
    Program,
    Runtime,
}

/// A function of an allocator that gives memory or throws.
type Give = unsafe extern "system-unwind" fn(*mut OrtAllocator, usize) -> *mut c_void;

/// What the runtime knows of the allocator: it lives as long as the process, because values may outlive every session.
#[repr(C)]
struct Registered {
    /// First, so that the address of one is that of the other.
    table: OrtAllocator,
    info: MemoryInfo<'static>,
}

/// Makes the sessions of `environment` that ask for its allocators compute in blocks. Once for each environment.
pub(super) fn register(environment: &Environment) -> ort::Result<()> {
    let info = MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Device, MemoryType::Default)?;
    #[expect(unsafe_code, reason = "a table for the runtime, whose type does not say that functions may throw")]
    // SAFETY: every function that the runtime calls without looking for it is set; the two types of function are called alike, and
    // who calls these is C++, which lets exceptions pass.
    let table = unsafe {
        OrtAllocator {
            Alloc: Some(transmute::<Give, unsafe extern "system" fn(*mut OrtAllocator, usize) -> *mut c_void>(
                allocate,
            )),
            Reserve: Some(transmute::<Give, unsafe extern "system" fn(*const OrtAllocator, usize) -> *mut c_void>(
                allocate,
            )),
            Free: Some(free),
            Info: Some(info_of),
            ..OrtAllocator::default()
        }
    };
    let registered = Box::leak(Box::new(Registered { table, info }));
    #[expect(unsafe_code, reason = "ort has no call for it: the runtime is told through its C interface")]
    // SAFETY: the function is of the version that ort has checked the library for; the environment is alive, and the table is for ever.
    unsafe {
        let status = (ort::api().RegisterAllocator)(environment.ptr().cast_mut(), &raw mut registered.table);
        ort::Error::<()>::result_from_status(status)
    }
}

#[expect(unsafe_code, reason = "unsafe to call, as memory is handed out")]
unsafe extern "system-unwind" fn allocate(_: *mut OrtAllocator, size: usize) -> *mut c_void {
    if size == 0 {
        return ptr::null_mut();
    }
    let block = own(size);
    if !block.is_null() {
        return block.cast();
    }
    // SAFETY: the size is not zero.
    unsafe { of_the_runtime(size) }
}

/// The allocator of the runtime that is there where none is registered. It is never released.
fn runtime() -> *mut OrtAllocator {
    Allocator::default().ptr().cast_mut()
}

/// What [`own`] does not have, from the runtime, which throws where it does not have it either.
#[expect(unsafe_code, reason = "calls the runtime's allocator")]
unsafe fn of_the_runtime(size: usize) -> *mut c_void {
    let runtime = runtime();
    let whole = size.saturating_add(HEADER);
    // SAFETY: the allocator lives for ever; its function may throw, which the type of the table does not say.
    unsafe {
        let Some(give) = (*runtime).Alloc else { return ptr::null_mut() };
        let give = transmute::<unsafe extern "system" fn(*mut OrtAllocator, usize) -> *mut c_void, Give>(give);
        let start = give(runtime, whole).cast::<u8>();
        headed(start, Header { whole, from: Origin::Runtime }).cast()
    }
}

extern "system" fn info_of(registered: *const OrtAllocator) -> *const OrtMemoryInfo {
    #[expect(unsafe_code, reason = "the runtime hands back what it was given")]
    // SAFETY: the runtime calls this with the table that was registered, which is the start of a `Registered` that lives for ever.
    unsafe {
        (*registered.cast::<Registered>()).info.ptr()
    }
}

/// `size` bytes behind a header; null where there are none to be had.
fn own(size: usize) -> *mut u8 {
    let Some(layout) = size.checked_add(HEADER).and_then(layout) else { return ptr::null_mut() };
    let whole = layout.size();
    let (start, from) = if size >= LARGE {
        (BLOCKS.take(whole).unwrap_or(ptr::null_mut()), Origin::Blocks)
    } else {
        #[expect(unsafe_code, reason = "the runtime wants memory that nobody owns")]
        // SAFETY: a header is more than nothing.
        (unsafe { alloc(layout) }, Origin::Program)
    };
    #[expect(unsafe_code, reason = "writes the header")]
    // SAFETY: the block is new and has so many bytes.
    unsafe {
        headed(start, Header { whole, from })
    }
}

/// What lies behind the header of the block that begins at `start`, null for null.
#[expect(unsafe_code, reason = "writes to what was allocated")]
unsafe fn headed(start: *mut u8, header: Header) -> *mut u8 {
    if start.is_null() {
        return start;
    }
    // SAFETY: whoever calls has a block of more than a header, aligned for it.
    unsafe {
        start.cast::<Header>().write(header);
        start.add(HEADER)
    }
}

extern "system" fn free(_: *mut OrtAllocator, block: *mut c_void) {
    if block.is_null() {
        return;
    }
    #[expect(unsafe_code, reason = "reads the header, and frees what `allocate` gave")]
    // SAFETY: the runtime frees what it was given by `allocate`, once, so there is a header before it.
    unsafe {
        let start = block.cast::<u8>().sub(HEADER);
        let Header { whole, from } = start.cast::<Header>().read();
        match from {
            Origin::Blocks => drop(BLOCKS.give_back(start)),
            Origin::Program => {
                if let Some(layout) = layout(whole) {
                    dealloc(start, layout);
                }
            }
            Origin::Runtime => {
                let runtime = runtime();
                if let Some(free) = (*runtime).Free {
                    free(runtime, start.cast());
                }
            }
        }
    }
}

/// Of a block of so many bytes, its header included.
fn layout(whole: usize) -> Option<Layout> {
    Layout::from_size_align(whole, HEADER).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_all_sizes_are_aligned_and_whole() {
        for size in [1, 63, 64, 4096, LARGE - 1, LARGE, LARGE + 1, 5 * LARGE + 7] {
            let at = own(size);
            assert!(!at.is_null() && at.addr().is_multiple_of(HEADER), "{size}: {at:?}");
            #[expect(unsafe_code, reason = "the block is this test's")]
            // SAFETY: it has so many bytes.
            unsafe { std::slice::from_raw_parts_mut(at, size) }.fill(0xa5);
            free(ptr::null_mut(), at.cast());
        }
    }

    #[test]
    fn what_nobody_has_is_null_here() {
        assert!(own(usize::MAX).is_null());
        assert!(own(usize::MAX / 2 - 4096).is_null());
        free(ptr::null_mut(), ptr::null_mut());
    }
}
