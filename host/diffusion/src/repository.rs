//! Model folders in diffusers layout.
