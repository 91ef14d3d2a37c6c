"""Train one run, or a whole study.

python src/train.py                                       Stage I, the study's base, on painted birds; needs no network
python src/train.py variant=recipe                        the recipe that draws good birds on a laptop
python src/train.py stage=two                             Stage II on top of the finished Stage I with the same settings
python src/train.py -m loss=wgan,bce optim=adam,rmsprop   every combination, one process each
python src/train.py sweep=six_variants                    the study
python src/train.py --cfg job                             show the configuration; --help lists the choices
"""

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from stackgan.command_line import PATHS, run_script, user_errors
from stackgan.config import typed


@hydra.main(version_base="1.3", config_path="../conf", config_name="config")
def main(composed: DictConfig) -> None:
    with user_errors():
        config = typed(composed)
        from stackgan.experiment import run  # imports torch: only once the configuration is known to be good

        raise SystemExit(run(config, list(HydraConfig.get().overrides.task)))


if __name__ == "__main__":
    run_script(main, literal=PATHS)
