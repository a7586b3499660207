"""From torch to ONNX and engines, with a parity gate."""
