"""The command line: what people type becomes what Hydra reads, and what goes wrong becomes one sentence."""
