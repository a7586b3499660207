"""Sparsity training, structured pruning, and the recipes that join them."""
