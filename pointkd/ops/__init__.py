"""What mmcv compiles, in torch and numba, on any device."""
