"""Adversarial losses, their penalties, and the KL term. Import from the files themselves: `names` (no torch) and
`build`.
"""
