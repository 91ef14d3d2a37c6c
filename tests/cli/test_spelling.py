"""What people type is what they get: each line as a shell hands it over, through the same way as src/train.py takes it."""

import re

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser

from stackgan.cli.flags import split_flags
from stackgan.cli.requests import EVALUATE, GENERATE, PREPARE, GenerateRequest, request_of
from stackgan.cli.script import PATHS, TRAIN
from stackgan.cli.spelling import shown, spell
from stackgan.cli.values import split_paths
from stackgan.config import CHOICES, PROJECT, register, setting_types, typed
from stackgan.errors import UserError
from stackgan.health.verdicts import RULES, remedy_words
from stackgan.signature import run_name, run_signature


def composed_as(script, *arguments):
    register()
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        return compose(script.config, spell(arguments, script))


def config(*arguments):
    return typed(composed_as(TRAIN, *arguments))


def value(config, key):
    for part in key.split("."):
        config = getattr(config, part)
    return config


@pytest.mark.parametrize(
    ("typed", "settings"),
    [
        ("lr=1e-4", {"lr.generator": 1e-4, "lr.discriminator": 1e-4, "lr.cosine": False}),
        ("lr=0.001", {"lr.generator": 1e-3, "lr.discriminator": 1e-3}),
        ("stage=2", {"stage.name": "two"}),
        ("stage=1", {"stage.name": "one"}),
        ("stage=II", {"stage.name": "two"}),
        ("dropout=0.3", {"dropout.rate": 0.3}),
        ("dropout=0", {"dropout.rate": 0.0}),
        ("dropout=true", {"dropout.rate": 0.3}),
        ("dropout=False", {"dropout.rate": 0.0}),
        ("norm=null", {"norm.generator": "none"}),
        ("~norm", {"norm.discriminator": "none"}),
        ("~dropout", {"dropout.rate": 0.0}),
        ("~variant", {"variant": None}),
        ("images=1e5", {"images": 100_000}),
        ("images=2_000", {"images": 2000}),
        ("seed=3.0", {"seed": 3}),
        ("scale.one.batch_size=1.6e1", {"scale.one.batch_size": 16}),
        ("trainer.precision=32", {"trainer.precision": "32-true"}),
        ("trainer.precision=bf16", {"trainer.precision": "bf16-mixed"}),
        ("trainer.accelerator=cuda", {"trainer.accelerator": "gpu"}),
        ("+optim=sgd", {"optim.name": "sgd"}),
        ("++loss.n_critic=2", {"loss.n_critic": 2}),
        ("optim='rmsprop'", {"optim.name": "rmsprop"}),
        ("study=lr=2e-4", {"study": "lr=2e-4"}),
        ("study=Vögel_日本", {"study": "Vögel_日本"}),
        ("study=try (2)", {"study": "try (2)"}),
        ("study=50% birds? #1", {"study": "50% birds? #1"}),
        ("study=it's", {"study": "it's"}),
        ("study=2026-11-28_10:03:12", {"study": "2026-11-28_10:03:12"}),
        ("study=loss,optim-1a2b3c4d", {"study": "loss,optim-1a2b3c4d"}),
        ("study='quoted, as for Hydra'", {"study": "quoted, as for Hydra"}),
        ("study=null", {"study": None}),
        ("study=7", {"study": "7"}),
        ("outputs=a b,c=[d]", {"outputs": "a b,c=[d]"}),
        ("data.cache=${oc.env:HOME}/cache", {"data.cache": None}),
        ("logger.project=birds", {"logger.project": "birds"}),
        ("seed=${jobs}", {"seed": 1}),
        ("loss=WGAN", {"loss.name": "wgan"}),
        ("norm=off", {"norm.generator": "none"}),
        ("evaluation=none", {"evaluation.final_samples": None}),
        ("logger.tags=a,b", {"logger.tags": ["a", "b"]}),
        ("logger.tags=a", {"logger.tags": ["a"]}),
        ("data.test_classes=8,9", {"data.test_classes": [8, 9]}),
        ("logger=tensorboard,wandb", {"logger.tensorboard": True, "logger.name": "wandb"}),
        ("logger=[csv]", {"logger.wandb": "disabled"}),
    ],
)
def test_it_means_what_it_says(typed, settings, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    found = config(typed)
    for key, wanted in settings.items():
        assert value(found, key) == (wanted if key != "data.cache" else "/home/ada/cache"), key


@pytest.mark.parametrize("key", PATHS)
def test_a_tilde_is_the_home_folder(key, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    used_by = {
        "data.root": ["data=cub"],
        "data.archive": ["data=cub"],
        "data.dataset": ["data=huggingface"],
        "data.listing": ["data=folder", "data.root=x"],
    }.get(key, [])
    assert value(config(*used_by, f"{key}=~/birds, and more"), key) == "/home/ada/birds, and more"


def test_a_number_for_the_rates_is_the_run_of_the_two_keys():
    by_number, by_keys = config("lr=1e-4"), config("lr.generator=1e-4", "lr.discriminator=1e-4")
    assert run_signature(by_number) == run_signature(by_keys) != run_signature(config())
    assert run_name(by_number, spell(["lr=1e-4", "dropout=0.1"], TRAIN)) == "lr=1e-4,dropout=0.1"


@pytest.mark.parametrize(
    ("arguments", "flags", "overrides"),
    [
        (["loss=wgan", "-m", "optim=adam,sgd"], ["-m"], ["loss=wgan", "optim=adam,sgd"]),
        (["--cfg", "job", "loss=wgan"], ["--cfg", "job"], ["loss=wgan"]),
        (["loss=wgan", "--cfg=job", "seed=1"], ["--cfg=job"], ["loss=wgan", "seed=1"]),
        (["-i", "loss=wgan"], ["-i"], ["loss=wgan"]),
        (["-i", "searchpath", "loss=wgan"], ["-i", "searchpath"], ["loss=wgan"]),
        (["a=1", "--config-dir", "mine", "b=2"], ["--config-dir", "mine"], ["a=1", "b=2"]),
    ],
)
def test_flags_may_stand_anywhere(arguments, flags, overrides):
    assert split_flags(arguments) == (flags, overrides)


@pytest.mark.parametrize(
    ("arguments", "jobs"),
    [
        (["-m", "lr=1e-4,2e-4"], "lr='1e-4','2e-4'"),
        (["stage=1,2", "-m"], "stage=one,two"),
        (["images=1e3,2e3", "-m"], "images=1000,2000"),
        (["-m", "dropout=off,0.1,on"], "dropout=off,'0.1',on"),
        (["-m", "study=a,b"], "study='a,b'"),  # a study is what a sweep belongs to
        (["-m", "data.root=/a,/b"], "data.root='/a','/b'"),
        (["sweep=six_variants", "start_from=a,b"], "start_from='a','b'"),
        (["start_from=a,b"], "start_from='a,b'"),
        (["-m", "seed=range(3)"], "seed=range(3)"),
        (["-m", "lr=choice(1e-4,2e-4)"], "lr='1e-4','2e-4'"),
        (["-m", "variant=glob(*)"], "variant=glob(*)"),
    ],
)
def test_a_sweep_over_them(arguments, jobs):
    assert jobs in spell(arguments, TRAIN)


def test_paths_with_commas_of_their_own_are_told_apart_where_they_exist(tmp_path):
    one, two = tmp_path / "loss=wgan,optim=sgd-12345678", tmp_path / "base-00000000"
    for folder in (one, two):
        folder.mkdir()
    assert split_paths(f"{one},{two}") == [str(one), str(two)]
    assert split_paths(f"{one}") == [str(one)]
    assert split_paths(f"{two},/nowhere") == [str(two), "/nowhere"]


def test_a_job_of_a_sweep_is_spelled_the_same_again():
    once = spell(["lr=1e-4", "study=try (2)", "data.root=/a b,c", "images=1e3", "dropout=0.1"], TRAIN)
    assert spell(once, TRAIN) == once
    assert [shown(override) for override in once] == [
        "lr=1e-4", "study=try (2)", "data.root=/a b,c", "images=1000", "dropout=0.1",
    ]  # fmt: skip


CAPTIONS = [
    "a small red bird, with black wings",
    'the so-called "king" of birds',
    '"quoted at both ends"',
    "'tis a bird'",
    "a bird = good",
    "${seed} birds and ${oc.env:HOME}",
    r"a back\slash, a \${seed} and one at the end \\",
    "[brackets] {braces} (parentheses)",
    "ein Vögelchen 日本",
    "~/not a path",
    "null birds",
]


@pytest.mark.parametrize("caption", CAPTIONS)
def test_a_caption_is_taken_literally(caption):
    composed = composed_as(GENERATE, "run=x", f"caption={caption}")
    assert request_of(composed, GenerateRequest).caption == caption


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("optmi=adam", ["optmi", "optim?"]),
        ("loss.n_crit=3", ["loss.n_crit", "loss.n_critic?"]),
        ("beta1=0.9", ["beta1", "optim.beta1?"]),
        ("+typo=1", ["typo", "not a setting"]),
        ("trainer.max_epochs=3", ["trainer.max_epochs", "epochs="]),
        ("ckpt_path=last.ckpt", ["ckpt_path", "same command", "start_from"]),
        ("experiment=bn_adam", ["experiment", "variant="]),
        ("+experiment=bn_adam", ["experiment", "variant="]),
        ("debug=default", ["debug", "scale=tiny"]),
        ("callbacks.early_stopping.patience=3", ["callbacks", "health="]),
        ("hparams_search=optuna", ["hparams_search", "sweep=search"]),
        ("batch_size=32", ["batch_size", "scale.one.batch_size"]),
        ("optimizer=adam", ["optimizer", "optim="]),
        ("tags=[a]", ["tags", "logger.tags"]),
        ("loss", ["loss sets nothing"]),
        ("--optim=adam", ["--optim=adam", "without dashes", "optim="]),
        ("--lr", ["without dashes", "lr=<value>"]),
        ("~data", ["~data", "birds"]),
        ("norm=[batch,none]", ["norm=[batch,none]", "-m norm=a,b"]),
        ("lr=[1e-4]", ["lr=[1e-4]", "-m"]),
        ("loss={a:1}", ["loss={a:1}"]),
        ("loss.name=wgan", ["loss.name=wgan", "loss=wgan"]),
        ("--dry-run", ["dry_run=<value>"]),
        ("--batch-size", ["scale.one.batch_size"]),
        ("--", ["is no flag"]),
        ("batch-size=32", ["scale.one.batch_size"]),
        ("gp_weight=10", ["loss.penalty_weight"]),
        ("~typo", ["typo", "not a setting"]),
    ],
)
def test_what_cannot_be_meant_names_what_was_meant(typed, words):
    with pytest.raises(UserError) as error:
        spell([typed], TRAIN)
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "\n" not in str(error.value)


def test_every_setting_is_found_by_its_last_word():
    for key in setting_types(TRAIN.schema):
        last = key.rpartition(".")[2]
        if "." in key and not TRAIN.knows(last):
            with pytest.raises(UserError, match=re.escape(f"{last} is not a setting")):
                spell([f"{last}=1"], TRAIN)


OTHERS = [name for name in TRAIN.choices["variant"] if name != "recipe"]
VARIANTS = [pytest.param([], id="base"), pytest.param(["variant=recipe"], id="recipe")]
VARIANTS += [pytest.param(["variant=" + name], id=name, marks=pytest.mark.slow) for name in OTHERS]


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_verdicts_tell_people_to_type_composes_and_does_it(variant):
    before = config(*variant)
    words = remedy_words(
        before.lr.generator, before.lr.discriminator, before.loss.n_critic, before.loss.kl_weight,
        before.scale.discriminator_channels,
    )  # fmt: skip
    remedies = " ".join(rule.remedy.format_map(words) for rule in RULES.values())
    advices = set(re.findall(r"[\w.]+=[^\s,)]+(?: [\w.]+=[^\s,)]+)*", remedies))
    after = {advice: config(*variant, *advice.rstrip(".").split()) for advice in advices}
    lower = after[words["lower_lr"]].lr
    assert lower.generator == before.lr.generator / 2 and lower.discriminator == before.lr.discriminator / 2
    assert lower.cosine == before.lr.cosine
    assert after[words["more_critic"]].loss.n_critic > before.loss.n_critic
    assert after[words["wider_d"]].scale.discriminator_channels > before.scale.discriminator_channels
    assert after[words["more_kl"]].loss.kl_weight > before.loss.kl_weight


@pytest.mark.parametrize("scale", ["tiny", "small", "paper"])
def test_a_scale_typed_after_the_recipe_acts(scale):
    recipe, plain = config("variant=recipe", f"scale={scale}"), config(f"scale={scale}")
    assert recipe.scale == plain.scale
    assert config(f"scale={scale}", "variant=recipe").scale == plain.scale  # typed before it too


@pytest.mark.parametrize("variant", VARIANTS[1:])
def test_a_choice_typed_after_a_variant_replaces_the_variants_own(variant):
    choices = ["lr=base", "loss=wgan", "optim=rmsprop", "arch=stackgan", "norm=none"]
    found, wanted = config(*variant, *choices), config(*choices)
    for group in (choice.partition("=")[0] for choice in choices):
        assert value(found, group) == value(wanted, group)


def test_every_choice_that_the_check_knows_has_its_file():
    for key, allowed in CHOICES.items():
        group, _, rest = key.partition(".")
        if rest == "name" and group in ("stage", "text", "data"):
            assert set(allowed) == set(TRAIN.choices[group])


def test_spelled_overrides_are_hydras_grammar():
    lines = ["study=try (2)", "lr=1e-4", "data.root=~/x y", "images=1e5", "loss=wgan,bce"]
    parsed = OverridesParser.create().parse_overrides(spell([*lines, "-m"], TRAIN)[:-1])
    assert [override.key_or_group for override in parsed] == ["study", "lr", "data.root", "images", "loss"]


def test_the_other_scripts_know_their_own_settings_alone():
    with pytest.raises(UserError, match="cuont is not a setting; did you mean count"):
        spell(["cuont=3"], GENERATE)
    with pytest.raises(UserError, match=r"batch_siz is not a setting; did you mean batch_size"):
        spell(["batch_siz=3"], EVALUATE)


@pytest.mark.parametrize(
    ("arguments", "script", "words"),
    [
        (["--cfg", "foo"], TRAIN, ["--cfg foo", "job, hydra, all"]),
        (["--cfg"], TRAIN, ["--cfg needs a value"]),
        (["--info", "foo"], TRAIN, ["--info foo", "defaults-tree"]),
        (["-sc", "install=bash"], TRAIN, ["-sc does nothing", "--help"]),
        (["--experimental-rerun", "x"], TRAIN, ["--experimental-rerun does nothing", "command is given again"]),
        (["hydra.run.dir=x"], TRAIN, ["hydra.run.dir", "outputs=", "study="]),
        (["-m", "hydra.sweep.subdir=x"], TRAIN, ["hydra.sweep.subdir", "outputs="]),
        (["hydra.job.chdir=true"], TRAIN, ["hydra.job.chdir", "outputs="]),
        (["study=${x}"], TRAIN, ["study=${x}", "shell"]),
        (["trainer.deterministic=2"], TRAIN, ["trainer.deterministic=2 is not true or false"]),
        (["-m", "run=x", "caption=a"], GENERATE, ["generate.py", "only train.py sweeps"]),
        (["sweep=six_variants"], PREPARE, ["prepare_data.py", "only train.py sweeps"]),
    ],
    ids=str,
)
def test_what_could_not_act_is_refused_before_hydra_makes_folders(arguments, script, words):
    with pytest.raises(UserError) as error:
        spell(arguments, script)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("value", ["true", "false", "0", "1", "yes"])
def test_true_and_false_are_typed_as_elsewhere(value):
    assert spell([f"trainer.deterministic={value}"], TRAIN) == [f"trainer.deterministic={value}"]


def test_what_lightning_adds_for_the_other_ranks_is_taken(monkeypatch):
    added = ['hydra.run.dir="."', "hydra.job.name=train_ddp_process_1", "hydra.output_subdir=null"]
    with pytest.raises(UserError, match=r"hydra\.run\.dir"):
        spell(["loss=wgan", *added], TRAIN)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert spell(["loss=wgan", *added], TRAIN) == ["loss=wgan", *added]
