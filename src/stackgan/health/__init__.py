"""What is going wrong right now: measures, thresholds, verdicts."""
