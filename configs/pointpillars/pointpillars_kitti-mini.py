# The teacher on a few real frames: widths 32; 32, 64, 128; 64.
_base_ = ['../_base_/pointpillars_kitti-mini.py', '../_base_/schedules/one-cycle-40e.py', '../_base_/runtime.py']
