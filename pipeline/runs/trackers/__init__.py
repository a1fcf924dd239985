"""Trackers beside TensorBoard: MLflow and Weights & Biases hear of runs, and of those of studies and sweeps."""
