"""sweeps/*.yaml: what each study runs, and the Optuna search."""

import importlib.util

import pytest
import yaml

from launcher_support import Sweep
from stackgan.config import PROJECT
from stackgan.search import open_storage
from support import TINY, script

needs_optuna = pytest.mark.skipif(
    importlib.util.find_spec("hydra_plugins.hydra_optuna_sweeper") is None,
    reason="needs hydra-optuna-sweeper (the extra `sweep`)",
)
CHOSEN = ["norm.generator=none", "norm.discriminator=none", "optim=adam", "loss=bce", "dropout.rate=0.0",
          "lr.generator=2e-4", "lr.discriminator=2e-4"]  # fmt: skip


@pytest.mark.parametrize("path", sorted((PROJECT / "sweeps").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_studys_file_begins_with_its_command_and_names_its_folder(path):
    lines = path.read_text().splitlines()
    assert lines[0] == "# @package _global_"
    assert f"python src/train.py sweep={path.stem}" in lines[1]
    assert yaml.safe_load(path.read_text())["study"] == path.stem


def test_the_study_of_seeds_is_the_six_variants_three_times(tmp_path):
    once, thrice = (
        yaml.safe_load((PROJECT / f"sweeps/{name}.yaml").read_text()) for name in ("six_variants", "six_variants_seeds")
    )
    assert thrice["hydra"]["sweeper"]["params"] == {"seed": "0,1,2", **once["hydra"]["sweeper"]["params"]}
    narrowed = ["sweep=six_variants_seeds", "variant=bn_adam", "dry_run=true"]
    result = script("train.py", *narrowed, *TINY, f"outputs={tmp_path}")
    assert result.returncode == 0, result.stderr
    assert "6 jobs" in result.stdout and result.stdout.count("waits for its Stage I") == 3
    assert not list(tmp_path.rglob("status.json"))


def trials(study):
    storage = open_storage(str(study / "trials.db"))
    import optuna

    return optuna.load_study(study_name="s", storage=storage).trials


@needs_optuna
def test_a_search_minimises_kid_on_validation_captions_counts_a_diverged_run_as_worst_and_goes_on_where_it_was(
    tmp_path,
):
    arguments = ["sweep=search", *CHOSEN, "seed=0,1,2,3", "hydra.sweeper.sampler.seed=0"]
    ways = {1: "diverge", 2: "kill"}
    first = Sweep(tmp_path, *arguments, "hydra.sweeper.n_trials=6", ways=ways).run()
    assert first.code == 0, first.output
    assert "SQLAlchemy" not in first.output  # whose old version warns of itself
    seen = [(trial.params["seed"], trial.value) for trial in trials(first.study)]
    worth = {0: 1.0, 1: 1e6, 2: 1e6, 3: 4.0}  # of stub_training.py; nothing of what diverged or died
    assert len(seen) == 6 and all(value == worth[seed] for seed, value in seen)
    assert {seed for seed, _ in seen} >= {0, 1}
    best = yaml.safe_load((first.study / "optimization_results.yaml").read_text())
    assert (best["best_params"], best["best_value"]) == ({"seed": 0}, 1.0)
    again = Sweep(tmp_path, *arguments, "hydra.sweeper.n_trials=1", ways=ways).run()
    assert again.code == 0, again.output
    assert [(trial.params["seed"], trial.value) for trial in trials(first.study)][:6] == seen
    assert len(trials(first.study)) == 7


@needs_optuna
@pytest.mark.slow
def test_a_real_search_trains_what_is_proposed(train, tmp_path):
    result = train("sweep=search", "images=16", "hydra.sweeper.n_trials=3", "study=s")
    assert result.returncode == 0, result.stderr
    found = trials(tmp_path / "s")
    assert len(found) == 3 and all(trial.value > 0.0 for trial in found)
    assert set(found[0].params) == set(
        yaml.safe_load((PROJECT / "sweeps/search.yaml").read_text())["hydra"]["sweeper"]["params"]
    )
    runs = [yaml.safe_load(path.read_text()) for path in sorted((tmp_path / "s").glob("*/config.yaml"))]
    rates = sorted(trial.params["lr.generator"] for trial in found)
    assert sorted(run["lr"]["generator"] for run in runs) == pytest.approx(rates)


@pytest.mark.parametrize(
    ("package", "arguments"),
    [("hydra_optuna_sweeper", ["sweep=search"]), ("hydra_submitit_launcher", ["-m", "hydra/launcher=submitit_slurm"])],
)
def test_without_the_extra_package_one_sentence_says_what_to_install(package, arguments):
    if importlib.util.find_spec(f"hydra_plugins.{package}") is not None:
        pytest.skip("the package is there")
    result = script("train.py", *arguments)
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1 and ".[sweep]" in result.stderr
