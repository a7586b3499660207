"""Runs an exported model with numpy and ONNX Runtime or OpenVINO. Never imports torch, numba or OpenMMLab."""
