"""Captions to embeddings: frozen encoders, and tables of vectors cached by the encoder's fingerprint."""
