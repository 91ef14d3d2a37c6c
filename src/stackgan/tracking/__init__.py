"""All that knows a tracker: metrics.csv, Weights & Biases, TensorBoard."""
