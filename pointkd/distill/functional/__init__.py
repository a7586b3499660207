"""Distillation losses as pure functions: tensors in, loss out."""
