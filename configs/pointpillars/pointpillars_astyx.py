# The teacher for cars in sparse scans: widths 32; 32, 64, 128; 64.
_base_ = ['../_base_/pointpillars_astyx.py', '../_base_/schedules/one-cycle-40e.py', '../_base_/runtime.py']
