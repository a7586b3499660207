"""The losses and their parts as pure functions: tensors in, tensors out. Methods are thin modules over them."""

from pointkd.distill.functional.boundary import boundary_body, boundary_edge
from pointkd.distill.functional.channel_wise import channel_wise
from pointkd.distill.functional.edges import edge_mask, nearest_labels, pooled_edges, pooled_share
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
from pointkd.distill.functional.logits import confident, logit_kl, sigmoid_kl
from pointkd.distill.functional.mimic import feature_mimic
from pointkd.distill.functional.neighbors import knn

__all__ = [
    'EDGE_FORMS',
    'POOLINGS',
    'boundary_body',
    'boundary_edge',
    'centre_weights',
    'channel_wise',
    'confident',
    'edge_errors',
    'edge_features',
    'edge_mask',
    'effective_centres',
    'feature_mimic',
    'graph_loss',
    'knn',
    'logit_kl',
    'nearest_labels',
    'neighbour_sum',
    'pool_edges',
    'pooled_edges',
    'pooled_share',
    'sigmoid_kl',
    'spatial_order',
    'top_elements',
]
