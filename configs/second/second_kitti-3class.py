# The teacher. 5.326 M parameters.
_base_ = [
    '../_base_/second_kitti-3class.py',
    '../_base_/schedules/cyclic-40e.py',
    '../_base_/runtime.py',
]
