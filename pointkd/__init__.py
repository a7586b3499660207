"""pointkd: distil, compress, evaluate and export detectors for the edge.

Importing this package is light: no torch, no numba. `import pointkd.engine` prepares the OpenMMLab packages
(see `pointkd.ops.standin`).
"""

__version__ = '0.1.0'
