//! Safetensors weights of a component.
