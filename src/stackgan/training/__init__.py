"""Training: the step, the averaged generator, and what a run writes while it goes."""
