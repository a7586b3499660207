"""Reads configs and checkpoints, and builds models."""
