# The teacher: widths 64; 64, 128, 256; 128. 4.835 M parameters.
_base_ = [
    '../_base_/pointpillars_kitti-3class.py',
    '../_base_/schedules/cyclic-80e.py',
    '../_base_/runtime.py',
]
