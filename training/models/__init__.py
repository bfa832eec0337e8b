"""Models as torch modules and ONNX graphs: loading a base model, export, quantization, writing a version."""
