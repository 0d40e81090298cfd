//! difftest-diffusion
