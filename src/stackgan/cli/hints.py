"""A setting that does not exist: which one was meant. No torch here."""

import difflib
from collections.abc import Iterable, Mapping

RESUMING = "the same command goes on by itself; start_from=<run> begins a new run with another one's weights"
FOREIGN = {  # what users of Lightning, Hydra templates and other trainers type: what it is called here
    "trainer.max_epochs": "the budget is epochs=<n> or images=<n>",
    "trainer.min_epochs": "the budget is epochs=<n> or images=<n>",
    "trainer.max_steps": "the budget is images=<n>: images shown, not steps",
    "trainer.max_time": "the budget is epochs=<n> or images=<n>, and any run may be stopped and given again",
    "trainer.gpus": "trainer=gpu, and trainer.devices=<n> for several",
    "trainer.strategy": "trainer=ddp trainer.devices=<n>",
    "trainer.num_nodes": "docs/clusters.md says how runs reach a cluster",
    "trainer.gradient_clip_val": "optim.clip_norm=<n>",
    "trainer.accumulate_grad_batches": "trainer.accumulate=<n>",
    "trainer.check_val_every_n_epoch": "evaluation.every=<images>",
    "trainer.val_check_interval": "evaluation.every=<images>",
    "trainer.log_every_n_steps": "logger.log_every=<images>",
    "trainer.limit_train_batches": "scale=tiny images=<n> makes a run of seconds",
    "trainer.fast_dev_run": "scale=tiny makes a run of seconds",
    "trainer.overfit_batches": "scale=tiny makes a run of seconds",
    "trainer.default_root_dir": "outputs=<folder>",
    "trainer.benchmark": "trainer.deterministic=true is the setting there is",
    "ckpt_path": RESUMING,
    "resume": RESUMING,
    "resume_from_checkpoint": RESUMING,
    "checkpoint": RESUMING,
    "experiment": "variant=<row of the study>, or a sweep of its own in sweeps/: sweep=<name>",
    "debug": "scale=tiny makes a run of seconds",
    "callbacks": "health=off|warn|stop|rollback, evaluation=off|fast|full and logger.checkpoint_minutes=<n> set them",
    "hparams_search": "sweep=search is the Optuna search",
    "batch_size": "scale.one.batch_size=<n> (Stage II: scale.two.batch_size)",
    "data.batch_size": "scale.one.batch_size=<n> (Stage II: scale.two.batch_size)",
    "data.num_workers": "there are no workers: batches are gathered from memory; trainer.threads=<n> sets the CPU's threads",
    "num_workers": "there are no workers: batches are gathered from memory; trainer.threads=<n> sets the CPU's threads",
    "image_size": "scale.one.image_size=<n> (Stage II: scale.two.image_size)",
    "datamodule": "data=birds|cub|flowers|emoji|folder|huggingface",
    "dataset": "data=birds|cub|flowers|emoji|folder|huggingface",
    "data_dir": "data.root=<folder>",
    "model": "arch=<networks>, norm=, scale= say what the networks are",
    "optimizer": "optim=adam|adamw|rmsprop|sgd",
    "optim.lr": "lr=<number>, or lr.generator= and lr.discriminator=",
    "learning_rate": "lr=<number>, or lr.generator= and lr.discriminator=",
    "scheduler": "lr=base|cosine|halve_100|... is rate and schedule",
    "lr_scheduler": "lr=base|cosine|halve_100|... is rate and schedule",
    "criterion": "loss=bce|wgan|wgan_gp|hinge|lsgan|...",
    "gan_mode": "loss=bce|wgan|wgan_gp|hinge|lsgan|...",
    "precision": "trainer.precision=32-true|bf16-mixed",
    "devices": "trainer.devices=<n>",
    "gpus": "trainer=gpu, and trainer.devices=<n> for several",
    "accelerator": "trainer=cpu|gpu|auto",
    "max_epochs": "epochs=<n>, or images=<n>",
    "tags": "logger.tags=[a,b]",
    "notes": "logger.notes='...'",
    "name": "a run is named after its choices; study=<name> names the folder of several",
    "task_name": "study=<name> names the folder of the runs",
    "group": "study=<name> is also the group of its runs in W&B",
    "project": "logger.project=<name>",
    "entity": "logger.entity=<user or team>",
    "wandb": "logger=wandb|offline|none",
    "wandb.project": "logger.project=<name>",
    "paths": "outputs=<folder> and data.cache=<folder>",
    "output_dir": "outputs=<folder>",
    "test": "scores are computed at each run's end; src/evaluate.py computes more of them",
    "train": "src/train.py trains; src/evaluate.py only scores",
    "extras": "there are none to switch",
    "device": "trainer=cpu|gpu|auto",
    "gpu": "trainer=gpu",
    "gpu_ids": "CUDA_VISIBLE_DEVICES chooses GPUs, trainer.devices=<n> their number",
    "cuda": "trainer=gpu",
    "no_cuda": "trainer=cpu",
    "workers": "there are no workers: batches are gathered from memory; trainer.threads=<n> sets the CPU's threads",
    "seed_everything": "seed=<n>",
    "manual_seed": "seed=<n>",
    "random_seed": "seed=<n>",
    "max_steps": "the budget is images=<n>: images shown, not steps",
    "steps": "the budget is images=<n>: images shown, not steps",
    "iterations": "the budget is images=<n>: images shown, not steps",
    "n_epochs": "the budget is epochs=<n> or images=<n>",
    "niter": "the budget is epochs=<n> or images=<n>",
    "g_lr": "lr.generator=<number>",
    "lr_g": "lr.generator=<number>",
    "d_lr": "lr.discriminator=<number>",
    "lr_d": "lr.discriminator=<number>",
    "lambda_kl": "loss.kl_weight=<number>",
    "kl": "loss.kl_weight=<number>",
    "lambda_gp": "loss.penalty_weight=<number>",
    "gp_weight": "loss.penalty_weight=<number>",
    "clip_value": "loss.clip=<number> (the critic's weights), optim.clip_norm=<number> (gradients)",
    "nz": "arch.noise_dim=<n>",
    "z_dim": "arch.noise_dim=<n>",
    "latent_dim": "arch.noise_dim=<n>",
    "ngf": "scale.generator_channels=<n>",
    "ndf": "scale.discriminator_channels=<n>",
    "resolution": "scale.one.image_size=<n> (Stage II: scale.two.image_size)",
    "size": "scale.one.image_size=<n> (Stage II: scale.two.image_size)",
    "fp16": "trainer.precision=bf16-mixed|32-true",
    "amp": "trainer.precision=bf16-mixed|32-true",
    "ema": "scale.ema_half_life=<images>",
    "ema_decay": "scale.ema_half_life=<images>",
    "batch_norm": "norm=batch|none|...",
    "normalization": "norm=batch|none|...",
    "norm_layer": "norm=batch|none|...",
    "spectral_norm": "norm=spectral",
    "text_encoder": "text=minilm|minilm_tokens|multilingual|attributes|precomputed",
    "pretrained": "start_from=<run>",
    "init_from": "start_from=<run>",
    "resume_from": RESUMING,
    "use_wandb": "logger=wandb|offline|none",
    "run_name": "a run is named after its choices; study=<name> names the folder of several",
    "save_dir": "outputs=<folder>",
    "log_dir": "outputs=<folder>",
    "save_interval": "logger.checkpoint_minutes=<n>, or logger.checkpoint_images=<n>",
    "sample_interval": "logger.samples_every=<images>",
}


def no_setting(key: str, known: Iterable[str], foreign: Mapping[str, str] = FOREIGN) -> str:
    """The sentence about a key that is none of `known`, with what was probably meant.

    Args:
        known: the settings and groups there are, by their dotted names.
        foreign: what other programs call a setting.
    """
    known = list(known)
    if key in known:
        return f"{key} cannot be set in this way; --help shows how."
    words = [foreign[prefix] for prefix in _prefixes(key.replace("-", "_")) if prefix in foreign]
    if words:
        return f"{key} is not a setting here; {words[0]}."
    meant = _nearest(key, known)
    if meant:
        return f"{key} is not a setting; did you mean {' or '.join(meant)}?"
    return f"{key} is not a setting; --cfg job lists them all."


def _prefixes(key: str) -> list[str]:
    """`callbacks.early_stopping.patience`: itself, then the longest of its beginnings first."""
    parts = key.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]


def _nearest(key: str, known: list[str]) -> list[str]:
    """Keys whose last part is the one that was typed; else those that are spelled nearly so."""
    last = key.rpartition(".")[2]
    ends = [name for name in known if name.rpartition(".")[2] == last]
    if ends:
        return ends[:3]
    whole = difflib.get_close_matches(key, known, n=1, cutoff=0.7)
    if whole:
        return whole
    lasts: dict[str, str] = {}
    for name in known:
        lasts.setdefault(name.rpartition(".")[2], name)
    return [lasts[close] for close in difflib.get_close_matches(last, lasts, n=1, cutoff=0.75)]
