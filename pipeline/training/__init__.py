"""Training: the driver of a run, the loop of a worker, one step, what is measured."""
