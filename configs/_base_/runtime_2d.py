# What every run on images shares.
_base_ = ['./runtime.py']
default_scope = 'mmdet'
