"""The losses and their parts as pure functions: tensors in, tensors out. Methods are thin modules over them."""

from pointkd.distill.functional.boundary import boundary_body, boundary_edge
from pointkd.distill.functional.channel_wise import channel_wise
from pointkd.distill.functional.class_variation import intra_class_variation
from pointkd.distill.functional.correlation import dist
from pointkd.distill.functional.cross_image import memory_relations, pixel_relations
from pointkd.distill.functional.edges import edge_mask, nearest_labels, pooled_edges, pooled_share
from pointkd.distill.functional.focal import FocalParts, attentions, box_masks, focal
from pointkd.distill.functional.generation import generation_error, random_cells
from pointkd.distill.functional.graph import (
    EDGE_FORMS,
    POOLINGS,
    centre_weights,
    edge_errors,
    edge_features,
    effective_centres,
    graph_loss,
    neighbour_sum,
    pool_edges,
    spatial_order,
    top_elements,
)
from pointkd.distill.functional.localization import box_regions, localization
from pointkd.distill.functional.logits import confident, logit_kl, sigmoid_kl
from pointkd.distill.functional.mimic import feature_mimic
from pointkd.distill.functional.neighbors import knn
from pointkd.distill.functional.pair_wise import pair_wise
from pointkd.distill.functional.pearson import pearson

__all__ = [
    'EDGE_FORMS',
    'POOLINGS',
    'FocalParts',
    'attentions',
    'boundary_body',
    'boundary_edge',
    'box_masks',
    'box_regions',
    'centre_weights',
    'channel_wise',
    'confident',
    'dist',
    'edge_errors',
    'edge_features',
    'edge_mask',
    'effective_centres',
    'feature_mimic',
    'focal',
    'generation_error',
    'graph_loss',
    'intra_class_variation',
    'knn',
    'localization',
    'logit_kl',
    'memory_relations',
    'nearest_labels',
    'neighbour_sum',
    'pair_wise',
    'pearson',
    'pixel_relations',
    'pool_edges',
    'pooled_edges',
    'pooled_share',
    'random_cells',
    'sigmoid_kl',
    'spatial_order',
    'top_elements',
]
