"""Where pictures and captions come from, the uint8 store they become, and the batches drawn from it."""
