"""A sweep composes each job once: Hydra's sweeper does it to see whether it can be done, and the launcher after it to do it."""

from typing import Protocol

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig


class JobLoader(Protocol):
    """Composes a job of a sweep."""

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig: ...


class Compositions:
    """The sweeper's compositions, kept for the launcher.

    Args:
        loader: Hydra's own, whose `load_sweep_config` remembers from here on what it gave.
    """

    def __init__(self, loader: ConfigLoader) -> None:
        self._compose, self._kept = loader.load_sweep_config, dict[tuple[str, ...], DictConfig]()
        loader.load_sweep_config = self._remember  # type: ignore[method-assign]

    def _remember(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        composed = self._compose(master_config, sweep_overrides)
        self._kept[tuple(sweep_overrides)] = composed
        return composed

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """The composition of these overrides, which is the caller's own: a later call makes another."""
        found = self._kept.pop(tuple(sweep_overrides), None)
        return self._compose(master_config, sweep_overrides) if found is None else found
