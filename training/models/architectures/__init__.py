"""The families of masked language models: how each computes, and how it becomes an ONNX graph.

Only this package and `training.models.torch_model` know transformers' classes.
"""
