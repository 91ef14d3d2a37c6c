"""Where an Optuna search (`sweep=search`) keeps its trials."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

PATIENCE = 60.0  # seconds to wait for another search that writes its trial


def open_storage(path: str) -> "RDBStorage":
    """The SQLite file of a search, made where there is none; every trial is in it as soon as it ends."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this Optuna is written for SQLAlchemy 1.4, which tells everybody of 2.0
        from optuna.storages import RDBStorage

    file = Path(path).absolute()
    file.parent.mkdir(parents=True, exist_ok=True)
    return RDBStorage(f"sqlite:///{file}", engine_kwargs={"connect_args": {"timeout": PATIENCE}})
