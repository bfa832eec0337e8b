"""Models as torch and ONNX: loading a base, vocabularies, export, quantization, the starter."""
