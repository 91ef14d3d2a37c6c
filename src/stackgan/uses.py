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
SPLIT = ("split", "split_seed")
FIT = ("fit", "padding", "bad_images")
DATA_KEYS: Mapping[str, tuple[str, ...]] = {
    "birds": (*SPLIT, "test_classes", "captions", "classes", "images_per_class", "picture_size", "seed", *VIEWS),
    "cub": (*SPLIT, "test_classes", "captions", "bad_images", *VIEWS),
    "emoji": (*SPLIT, "picture_size", "bad_images", *VIEWS),
    "flowers": (*SPLIT, *FIT, *VIEWS),
    "folder": (*SPLIT, *FIT, *VIEWS),
    "huggingface": (*SPLIT, *FIT, *VIEWS),
}
LISTED = ("folder", "huggingface")  # data sets whose lists may say the split
DATA_PLACES: Mapping[str, tuple[str, ...]] = {  # where it lies and how its files are read
    "birds": (),  # painted into data.cache
    "cub": ("root", "archive", "download", "encoding"),
    "emoji": (),  # from packages
    "flowers": ("root", "encoding"),
    "folder": ("root", "listing", "encoding"),
    "huggingface": ("dataset", "revision"),
}
