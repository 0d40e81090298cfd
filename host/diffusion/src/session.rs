//! ONNX Runtime sessions.
