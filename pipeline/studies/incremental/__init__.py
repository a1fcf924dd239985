"""Class-incremental learning: labels that arrive task after task."""
