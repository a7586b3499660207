"""The losses and their parts as pure functions: tensors in, tensors out. Methods are thin modules over them."""

from pointkd.distill.functional.channel_wise import channel_wise
from pointkd.distill.functional.focal import FocalParts, attentions, box_masks, focal
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
from pointkd.distill.functional.pearson import pearson

__all__ = [
    'EDGE_FORMS',
    'POOLINGS',
    'FocalParts',
    'attentions',
    'box_masks',
    'box_regions',
    'centre_weights',
    'channel_wise',
    'confident',
    'edge_errors',
    'edge_features',
    'effective_centres',
    'feature_mimic',
    'focal',
    'graph_loss',
    'knn',
    'localization',
    'logit_kl',
    'neighbour_sum',
    'pearson',
    'pool_edges',
    'sigmoid_kl',
    'spatial_order',
    'top_elements',
]
