"""Train one run, or a whole study.

python src/train.py                                       Stage I, the study's base, on painted birds; needs no network
python src/train.py variant=recipe                        the recipe that draws good birds on a laptop
python src/train.py stage=two                             Stage II on top of the finished Stage I with the same settings
python src/train.py -m loss=wgan,bce optim=adam,rmsprop   every combination, one process each
python src/train.py sweep=six_variants                    the study
python src/train.py sweep=six_variants dry_run=true       what it would do
python src/train.py --cfg job                             show the configuration; --help lists the choices
"""

from stackgan.cli.start import start  # isort: skip  (first: Ctrl-C is one line from here on)

import warnings

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from stackgan.cli.run import user_errors
from stackgan.cli.script import TRAIN
from stackgan.config import typed
from stackgan.hosted import run_hosted
from stackgan.preflight import check_alone, check_run
from stackgan.run_lookup import name_runs


@hydra.main(version_base="1.3", config_path="../conf", config_name="config")
def main(composed: DictConfig) -> dict[str, float]:
    hydra_config = HydraConfig.get()
    if hydra_config.mode is RunMode.MULTIRUN:  # our own launcher gives every job a process with a command of its own
        return run_hosted(typed(composed), list(hydra_config.overrides.task))
    with user_errors():
        overrides = list(hydra_config.overrides.task)
        config = typed(composed)
        check_alone(config, hydra_config.overrides.hydra)
        name_runs(config)
        check_run(config, overrides)
        from stackgan.experiment import run  # imports torch: only once the run is known to have what it needs

        raise SystemExit(run(config, overrides))


if __name__ == "__main__":
    # Hydra's, of conf/hydra/launcher/submitit_*.yaml, which are meant to take the place of the plugin's own
    warnings.filterwarnings(
        "ignore", message=r"\s*'hydra/launcher/submitit_\w+' is validated against ConfigStore schema"
    )
    start(main, TRAIN, __doc__)
