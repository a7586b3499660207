"""Distillation: the Distiller, what it taps and connects, and the methods (one file each in `methods/`)."""
