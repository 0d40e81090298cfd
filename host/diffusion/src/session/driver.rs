//! What the NVIDIA driver of this machine can, asked before gigabytes of libraries are loaded, or even installed.
//!
//! The functions and their numbers are those of NVIDIA's driver API (`cuda.h`), which no version has changed.

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::mem::ManuallyDrop;

use libloading::Library;

use super::fault::{CUDA, CudaVersion, DeviceError};
use crate::pipeline::described;

/// The driver's own library.
const LIBRARY: &str = if cfg!(windows) { "nvcuda.dll" } else { "libcuda.so.1" };

/// `CUDA_ERROR_NO_DEVICE`.
const NO_DEVICE: c_int = 100;
/// `CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR` and `..._MINOR`.
const CAPABILITY: [c_int; 2] = [75, 76];
/// The oldest that CUDA 13 makes code for.
const OLDEST: (i32, i32) = (7, 5);

/// A driver that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver {
    /// The newest CUDA it speaks.
    pub cuda: CudaVersion,
    /// The GPUs, by number.
    pub gpus: Vec<Gpu>,
}

/// One GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// As its maker calls it.
    pub name: String,
    /// Compute capability.
    pub capability: (i32, i32),
}

impl Driver {
    /// Asks the driver.
    ///
    /// # Errors
    /// It is not there, does not start, or sees no GPU.
    pub fn find() -> Result<Self, DeviceError> {
        Self::of(LIBRARY)
    }

    fn of(library: &str) -> Result<Self, DeviceError> {
        #[expect(unsafe_code, reason = "loads the driver, which is asked through its C interface")]
        // SAFETY: its initialisers are those of the installed driver, which any program that uses the GPU runs.
        let library =
            unsafe { Library::new(library) }.map_err(|error| DeviceError::NoDriver { why: described(&error) })?;
        // A driver is not made to be unloaded.
        let calls = Calls(ManuallyDrop::new(library));
        calls.ask::<extern "system" fn(c_uint) -> c_int>("cuInit", |init| init(0))?;
        let mut version = 0;
        calls.ask::<extern "system" fn(*mut c_int) -> c_int>("cuDriverGetVersion", |get| get(&raw mut version))?;
        // 13010 is 13.1
        let cuda = CudaVersion { major: version / 1000, minor: version % 1000 / 10 };
        let mut count = 0;
        calls.ask::<extern "system" fn(*mut c_int) -> c_int>("cuDeviceGetCount", |get| get(&raw mut count))?;
        let gpus = (0..count).map(|number| calls.gpu(number)).collect::<Result<Vec<_>, _>>()?;
        if gpus.is_empty() { Err(DeviceError::NoGpu) } else { Ok(Self { cuda, gpus }) }
    }

    /// Whether the installed libraries can work on GPU `number`.
    ///
    /// # Errors
    /// The driver or the GPU is too old, or there is no GPU of that number.
    pub fn check(&self, number: i32) -> Result<(), DeviceError> {
        if self.cuda < CUDA {
            return Err(DeviceError::OldDriver { found: self.cuda });
        }
        let gpu = usize::try_from(number).ok().and_then(|number| self.gpus.get(number));
        let Some(Gpu { name, capability }) = gpu else {
            let gpus = self.gpus.iter().map(|gpu| gpu.name.clone()).collect();
            return Err(DeviceError::NoSuchGpu { number, gpus });
        };
        if *capability < OLDEST {
            let found = format!("{}.{}", capability.0, capability.1);
            return Err(DeviceError::OldGpu { number, name: name.clone(), found });
        }
        Ok(())
    }
}

/// The driver's functions.
struct Calls(ManuallyDrop<Library>);

impl Calls {
    /// Calls the function `name`, whose type is `F`, and takes its code for an error.
    fn ask<F: Copy>(&self, name: &str, call: impl FnOnce(F) -> c_int) -> Result<(), DeviceError> {
        let failed = |why: String| DeviceError::Driver { why: format!("{name}: {why}") };
        #[expect(unsafe_code, reason = "the driver is a C library")]
        // SAFETY: every `F` here is the type that `cuda.h` gives to the function of that name.
        let function = unsafe { self.0.get::<F>(name) }.map_err(|error| failed(error.to_string()))?;
        match call(*function) {
            0 => Ok(()),
            NO_DEVICE => Err(DeviceError::NoGpu),
            code => Err(failed(format!("error {code}"))),
        }
    }

    fn gpu(&self, number: c_int) -> Result<Gpu, DeviceError> {
        let mut device: c_int = 0;
        self.ask::<extern "system" fn(*mut c_int, c_int) -> c_int>("cuDeviceGet", |get| get(&raw mut device, number))?;
        let mut name: [c_char; 256] = [0; 256];
        self.ask::<extern "system" fn(*mut c_char, c_int, c_int) -> c_int>("cuDeviceGetName", |get| {
            get(name.as_mut_ptr(), name.len() as c_int - 1, device)
        })?;
        let [mut major, mut minor] = [0; 2];
        for (attribute, value) in CAPABILITY.into_iter().zip([&raw mut major, &raw mut minor]) {
            self.ask::<extern "system" fn(*mut c_int, c_int, c_int) -> c_int>("cuDeviceGetAttribute", |get| {
                get(value, attribute, device)
            })?;
        }
        #[expect(unsafe_code, reason = "reads a C string")]
        // SAFETY: the last element is still 0, whatever the driver wrote before it.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned();
        Ok(Gpu { name, capability: (major, minor) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn driver(major: i32, capabilities: &[(i32, i32)]) -> Driver {
        let gpus = capabilities.iter().map(|&capability| Gpu { name: "GPU".to_owned(), capability }).collect();
        Driver { cuda: CudaVersion { major, minor: 0 }, gpus }
    }

    #[test]
    fn a_driver_that_is_not_there_is_named() {
        let error = Driver::of("libno-such-driver.so.1").unwrap_err();
        assert!(error.to_string().contains("libno-such-driver"), "{error}");
        assert!(error.hint().contains("nvidia-smi"));
        // a library that is there and is no driver
        #[cfg(target_os = "linux")]
        assert!(matches!(Driver::of("libc.so.6"), Err(DeviceError::Driver { why }) if why.contains("cuInit")));
    }

    #[test]
    fn what_the_libraries_cannot_use_is_refused_by_name() {
        assert_eq!(driver(13, &[(9, 0)]).check(0), Ok(()));
        let old = driver(12, &[(9, 0)]).check(0).unwrap_err();
        assert_eq!(old.to_string(), "the NVIDIA driver is too old: it speaks CUDA 12.0, and CUDA 13.0 is needed");
        let missing = driver(13, &[(9, 0), (8, 6)]).check(99).unwrap_err();
        assert_eq!(missing.to_string(), "there is no GPU number 99; there is 0: GPU, 1: GPU");
        assert_eq!(missing.hint(), "use a number from 0 to 1");
        let pascal = driver(13, &[(6, 1)]).check(0).unwrap_err();
        assert!(pascal.to_string().contains("6.1"), "{pascal}");
    }
}
