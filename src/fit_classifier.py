"""Train a feature network on a data set's classes, for scores by evaluate.py network=<its name>.

python src/fit_classifier.py network=classifier                                              painted birds, the training classes
python src/fit_classifier.py network=inception_finetuned data=cub data.root=<CUB_200_2011>   StackGAN's protocol: the test classes
python src/fit_classifier.py network=inception_finetuned data=cub data.root=<...> imagenet_weights=<inception_v3_google-0cc3c7bd.pth>
"""

from stackgan.cli.start import start  # isort: skip  (first: Ctrl-C is one line from here on)

from dataclasses import fields
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from stackgan.cli.requests import FIT, FitRequest
from stackgan.cli.run import user_errors
from stackgan.config import Config, stage_scale, typed
from stackgan.errors import UserError
from stackgan.preflight import check_inputs

OWN = [field.name for field in fields(FitRequest) if field.name not in {each.name for each in fields(Config)}]


@hydra.main(version_base="1.3", config_path="../conf", config_name="fit_classifier")
def main(composed: DictConfig) -> None:
    with user_errors():
        asked = OmegaConf.masked_copy(composed, OWN)
        config = typed(OmegaConf.masked_copy(composed, [str(key) for key in composed if key not in OWN]))
        if config.epochs is not None:
            raise UserError("the budget of a classifier is images=<n>; epochs is for training runs.")
        check_inputs(config)
        from stackgan.evaluation.feature_networks import checkpoint, fit
        from stackgan.inputs import prepare_store
        from stackgan.process import prepare_process

        name, flip, seed = asked.network, config.data.flip, config.seed
        sizes = {key: asked[key] for key in ("image_size", "batch_size", "learning_rate")}
        plan = fit.requested_plan(name, images=config.images, flip=flip, seed=seed, **sizes)
        imagenet = fit.imagenet_path(name, asked.imagenet_weights)
        prepare_process(config)
        stage_scale(config).image_size = plan.image_size
        store = prepare_store(config)
        data = checkpoint.data_fingerprint(store)
        folder = Path(asked.folder) if asked.folder else checkpoint.checkpoint_folder(config.data.cache, name, data)
        if imagenet is None and name == "inception_finetuned":
            print(f"no ImageNet weights: {name} starts from random ones (imagenet_weights=<{fit.IMAGENET_FILE}>).")
        made = fit.fit_network(name, store, plan, folder, fit.device_of(config.trainer.accelerator), imagenet)
        print(f"{checkpoint.describe(made)}\nnetwork: {folder}")


def main_with_own_keys() -> None:
    ConfigStore.instance().store(name="schema", node=FitRequest)
    main()


if __name__ == "__main__":
    start(main_with_own_keys, FIT, __doc__)
