"""Official metrics on plain result folders, in numpy and numba."""
