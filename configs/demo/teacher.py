# The teacher of the demo: widths 32; 32, 64, 128; 64.
_base_ = ['../_base_/pointpillars_demo.py']
