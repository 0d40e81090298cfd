//! Finding and installing the ONNX Runtime library.
