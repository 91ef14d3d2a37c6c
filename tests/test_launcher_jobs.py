"""The jobs of a sweep before any starts: what each is, how it is named, and whether anything of it is left to do."""

from dataclasses import asdict, replace

import pytest
import yaml
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from hydra_plugins.isolated_launcher.composition import Compositions
from hydra_plugins.isolated_launcher.jobs import compose_jobs, differences, first_lack, label
from stackgan.config import PROJECT, register
from stackgan.errors import UserError
from stackgan.run_directory import Status


@pytest.fixture
def jobs(tmp_path):
    register()

    def make(*choices, study="s", **how):
        with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
            loader = GlobalHydra.instance().config_loader()
            master = loader.load_configuration("config", [], RunMode.MULTIRUN)
            given = [["scale=tiny", f"outputs={tmp_path}", *choice.split()] for choice in choices]
            return compose_jobs(loader, master, given, 0, study, **how)

    return make


@pytest.mark.parametrize(("images", "budget"), [(16, 16), (17, 24), (24, 24)])
def test_a_budget_is_a_whole_number_of_batches_of_at_least_what_is_asked_for(jobs, images, budget):
    assert jobs(f"images={images}")[0].budget == budget


def left(job, state, images, budget=16, **health):
    """A run folder as an earlier command left it."""
    job.find()
    job.folder.mkdir(parents=True, exist_ok=True)
    config = asdict(replace(job.config, health=replace(job.config.health, **health)))
    (job.folder / "config.yaml").write_text(yaml.safe_dump(config))
    Status(state, images=images, budget=budget).write(job.folder)
    job.find()
    return job.finished()


def test_a_run_is_finished_at_its_budget_or_where_a_verdict_would_end_it_again(jobs):
    (job,) = jobs("images=16")
    assert not job.finished()
    assert left(job, "done", 16) and left(job, "done", 24) and not left(job, "done", 8)
    assert not left(job, "preempted", 16) and not left(job, "failed", 16)
    assert left(job, "diverged", 8) and left(job, "collapsed", 8)
    assert not left(job, "diverged", 8, budget=24)  # it had longer to go
    assert left(job, "diverged", 8, name="another word for the same")
    assert not left(job, "diverged", 8, patience=99)  # it was judged otherwise


@pytest.mark.parametrize(("saved", "budget"), [(2, 80), (3, None)])
def test_a_budget_in_epochs_is_known_from_a_run_that_had_the_same(jobs, saved, budget):
    (job,), (other,) = jobs("images=null epochs=2"), jobs(f"images=null epochs={saved}")
    assert job.budget is None
    left(other, "done", 80, budget=80)
    job.find()
    assert job.folder == other.folder and job.budget == budget and job.finished() == (budget is not None)


def test_a_job_whose_stage_one_a_verdict_ended_needs_nothing(jobs):
    def lacking(config):
        raise UserError(f"seed {config.seed} lacks something.")

    first, second = jobs("seed=0", "seed=1")
    first.stage_one_ended = True
    assert str(first_lack([first, second], lacking)) == "job 1 (seed=1): seed 1 lacks something."
    assert first.lacks is None and second.reason == "seed 1 lacks something."


def test_a_study_is_named_by_what_varies_whatever_the_order_and_at_no_great_length(jobs):
    one, other = (
        jobs(*choices, study=None)[0].config.study for choices in (("seed=0", "seed=1"), ("seed=1", "seed=0"))
    )
    assert one == other and one.startswith("seed-")
    keys = ["logger.checkpoint_images", "logger.samples_every", "logger.log_every", "evaluation.every", "health.every"]
    many = " ".join(f"{key}=8" for key in keys)
    long = jobs(many, "seed=1", study=None)[0].config.study
    assert len(long) <= 90 and len(long.rpartition("-")[2]) == 8


def test_a_job_is_told_from_the_others_in_the_words_that_were_typed(jobs):
    first, second = jobs("seed=0 lr=1e-4 loss=wgan", "seed=0 lr=2e-4 loss=wgan")
    assert label(first, [first, second]) == "lr=1e-4"
    assert differences([first, second]) == [
        {"lr.generator": 1e-4, "lr.discriminator": 1e-4}, {"lr.generator": 2e-4, "lr.discriminator": 2e-4},
    ]  # fmt: skip
    epochs = differences(jobs("images=16", "images=24"))
    assert epochs == [{"images": 16}, {"images": 24}]  # a budget is told too


def test_devices_cannot_be_all_where_nobody_can_count_them(jobs):
    with pytest.raises(UserError, match=r"job 0 .*trainer\.devices=auto cannot be counted here"):
        jobs("trainer.devices=auto", gpus=None)
    assert jobs("trainer.devices=auto", gpus=["0", "1"])[0].config.trainer.devices == 2


def test_what_a_run_is_compared_by_is_nothing_of_test_captions(jobs):
    (job,) = jobs("images=16")
    assert job.scores == {} and job.images == 0
    job.status = Status("done", images=16, scores={"kid": 1.0, "kid/test": 2.0})
    assert job.scores == {"kid": 1.0} and job.images == 16


def test_what_the_sweeper_composed_is_taken_once_and_never_twice():
    made = []

    class Loader:
        def load_sweep_config(self, master_config, sweep_overrides):
            made.append(list(sweep_overrides))
            return OmegaConf.create({"number": len(made)})

    loader = Loader()
    compositions = Compositions(loader)
    for seed in (0, 1):
        loader.load_sweep_config(OmegaConf.create(), [f"seed={seed}"])  # as the sweeper looks whether it can be done
    taken = [compositions.load_sweep_config(OmegaConf.create(), [f"seed={seed}"]).number for seed in (1, 0, 0, 2)]
    assert taken == [2, 1, 3, 4] and made == [["seed=0"], ["seed=1"], ["seed=0"], ["seed=2"]]
