"""Hydra plugin: one fresh process for each job of a sweep."""
