"""Build and check a data set: read, crop, store, embed, count. Training does this by itself; here it is done and reported alone.

python src/prepare_data.py                                               painted birds
python src/prepare_data.py data=cub data.archive=<CUB_200_2011.tgz>      or data.root=<CUB_200_2011 folder>, or data.download=true
python src/prepare_data.py data=folder data.root=<folder>                images + captions (docs/own_data.md); names every bad row
python src/prepare_data.py data=flowers data.root=<folder>               Oxford-102 with the captions of Reed et al.
python src/prepare_data.py data=emoji                                    OpenMoji's drawings: pip install -e '.[emoji]'
"""

from stackgan.cli.start import start  # isort: skip  (first: Ctrl-C is one line from here on)

import hydra
from omegaconf import DictConfig

from stackgan.cli.requests import PREPARE
from stackgan.cli.run import user_errors
from stackgan.config import typed
from stackgan.preflight import check_inputs


@hydra.main(version_base="1.3", config_path="../conf", config_name="prepare_data")
def main(composed: DictConfig) -> None:
    with user_errors():
        config = typed(composed)
        check_inputs(config)
        from stackgan.inputs import describe, prepare_inputs

        for stage in ("one", "two"):
            config.stage.name = stage
            print(describe(prepare_inputs(config)))


if __name__ == "__main__":
    start(main, PREPARE, __doc__)
