"""Frames that may still change: inputs, predictions, snapshots, re-simulation."""
