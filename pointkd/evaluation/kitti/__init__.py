"""The official KITTI object metric (2D, bird's eye view, 3D, orientation) without CUDA."""

from pointkd.evaluation.kitti.evaluate import evaluate_folders, evaluate_frames
from pointkd.evaluation.kitti.folders import read_frame_list
from pointkd.evaluation.kitti.rules import CLASSES, DIFFICULTIES, METRICS, OFFICIAL_OVERLAP
from pointkd.evaluation.kitti.scoring import Report

__all__ = [
    'CLASSES',
    'DIFFICULTIES',
    'METRICS',
    'OFFICIAL_OVERLAP',
    'Report',
    'evaluate_folders',
    'evaluate_frames',
    'read_frame_list',
]
