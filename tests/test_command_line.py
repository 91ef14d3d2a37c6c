"""The scripts as a person meets them: one sentence and exit code 2 for a mistake, before any work."""

import pytest

from stackgan.command_line import quote_literal
from support import script


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["loss=foo"], ["loss=foo", "bce", "wgan_gp"]),
        (["variant=bn_adamm"], ["variant=bn_adamm", "bn_adam"]),
        (["loss.n_crit=3"], ["loss.n_crit", "not a setting"]),
        (["+typo=1"], ["typo", "not a setting"]),
        (["images=many"], ["images", "many"]),
        (["loss=wgan_gp"], ["norm.discriminator=batch"]),
        (["-m", "loss=wgan,wgan_gp"], ["job 1", "loss=wgan_gp", "norm.discriminator=batch"]),
        (["sweep=six_variants", "+typo=1"], ["typo"]),
        (["data=folder", "data.root=/nowhere"], ["/nowhere"]),
        (["stage=two", "stage_one=/nowhere"], ["stage_one=/nowhere"]),
        (["stage=two"], ["stage_one=auto"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_mistake_is_one_sentence_and_exit_code_2(arguments, words, tmp_path):
    result = script("train.py", *arguments, f"data.cache={tmp_path}", f"outputs={tmp_path}/outputs")
    assert result.returncode == 2, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word in lines[0]
    assert not list(tmp_path.rglob("status.json"))  # no job has started


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("generate.py", [], ["run="]),
        ("generate.py", ["run=/nowhere"], ["caption="]),
        ("generate.py", ["run=/nowhere", "caption=a bird, red = good"], ["/nowhere", "generator.json"]),
        ("generate.py", ["run=x", "caption=a", "captions=b"], ["caption", "captions"]),
        ("generate.py", ["run=x", "captions=/nowhere.txt"], ["/nowhere.txt"]),
        ("evaluate.py", ["run=/nowhere"], ["/nowhere", "config.yaml"]),
        ("prepare_data.py", ["data=cub", "data.root=/nowhere"], ["data.root", "/nowhere", "data.archive"]),
    ],
)
def test_the_other_scripts_do_so_too(name, arguments, words):
    result = script(name, *arguments)
    assert result.returncode == 2, result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize(
    ("argument", "quoted"),
    [
        ("run=outputs/runs/loss=wgan,optim=rmsprop-12ab", "run='outputs/runs/loss=wgan,optim=rmsprop-12ab'"),
        ("run=it's", r"run='it\'s'"),
        ("run='a,b'", "run='a,b'"),
        ("run=${oc.env:HOME}/x", "run=${oc.env:HOME}/x"),
        ("run=null", "run=null"),
        ("loss=wgan,bce", "loss=wgan,bce"),
        ("-m", "-m"),
    ],
)
def test_paths_and_free_text_need_no_quotes_of_their_own(argument, quoted):
    assert quote_literal(argument, ["run"]) == quoted
