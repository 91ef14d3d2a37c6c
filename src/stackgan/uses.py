"""Which settings each optimizer and each data set reads. No torch here."""

from collections.abc import Mapping

# Which keys of a group a choice of its name reads; the others say nothing about its runs, and `config.check` refuses them.
ADAM = ("beta1", "beta2", "eps", "weight_decay", "clip_norm")
OPTIMIZER_KEYS: Mapping[str, tuple[str, ...]] = {
    "adam": ADAM,
    "adamw": ADAM,
    "rmsprop": ("alpha", "momentum", "eps", "weight_decay", "clip_norm"),
    "sgd": ("momentum", "weight_decay", "clip_norm"),
}
VIEWS = ("resample", "crop", "flip", "augment")
DATA_KEYS: Mapping[str, tuple[str, ...]] = {
    "birds": ("split", "test_classes", "captions", "classes", "images_per_class", "picture_size", "seed", *VIEWS),
    "cub": ("split", "test_classes", "captions", "bad_images", *VIEWS),
    "emoji": ("split", "picture_size", "bad_images", *VIEWS),
    "folder": ("fit", "padding", "bad_images", *VIEWS),
}
DATA_PLACES: Mapping[
    str, tuple[str, ...]
] = {  # where it lies; birds are painted into data.cache, emoji come with packages
    "birds": (),
    "cub": ("root", "archive", "download"),
    "emoji": (),
    "folder": ("root",),
}
