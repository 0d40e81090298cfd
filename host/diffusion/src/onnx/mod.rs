//! The part of the ONNX format the graphs need.
