"""What is said of data sets that lack images, and that exactly the scores that are said to be left out are."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from stackgan.evaluation.scores import Said, scores_of_training
from stackgan.evaluation.shortages import not_taken, shortages
from stackgan.evaluation.words import left_out_in_words


def store(train, validation, test, *, classes=None, captions=None, source="folder"):
    """A data set of so many images in each split, in that order."""
    bounds = np.cumsum([0, train, validation, test])
    rows = {split: np.arange(*bounds[i : i + 2]) for i, split in enumerate(("train", "validation", "test"))}
    count = int(bounds[-1])
    return SimpleNamespace(
        indices=rows.__getitem__,
        class_ids=np.array(classes or [-1] * count),
        captions=captions or [[f"bird {i}"] for i in range(count)],
        source=source,
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (store(9, 4, 8), []),
        (store(9, 4, 0), ["the scores on test captions are left out (give some, or divide all images anew: data.split=image)."]),
        (store(9, 4, 0, source="cub"), ["data.test_classes=[...], or split anew: data.split=image data.split_seed=0"]),
        (store(9, 4, 5), ["Only 5 test images: src/evaluate.py, which needs 8"]),
        (store(9, 4, 3), ["Only 3 test images: KID on test captions is not taken"]),
        (store(9, 0, 8), ["No validation images: grids and health use captions of training images"]),
        (store(9, 3, 8), ["Only 3 validation images: KID is not taken, so no best generator is chosen"]),
        (store(9, 1, 8), ["health cannot measure mode_collapse and ignores_text"]),
        (store(7, 4, 8), ["Only 7 training images: src/evaluate.py, which needs 8"]),
        (store(1, 0, 0), ["Only 1 training image", "No validation images", "No test images"]),
        (store(9, 4, 8, classes=[2] * 21), ["All training images are of one class"]),
        (store(9, 4, 8, captions=[["a bird"]] * 21), ["All training images have the same caption"]),
    ],
)  # fmt: skip
def test_each_thing_that_is_missing_is_a_sentence(data, words):
    said = shortages(data)
    assert len(said) == len(words)
    assert all(word in sentence for word, sentence in zip(words, said, strict=True))


@pytest.mark.parametrize("images", range(1, 6))
def test_exactly_those_scores_are_said_to_be_left_out_that_are(images):
    real = Said(torch.randn(images, 5), torch.randn(images, 5))
    taken = {score.metric for score in scores_of_training(Said(torch.randn(12, 5), torch.randn(12, 5)), real, "", 2, 0)}
    assert taken | not_taken(store(9, images, 8)).keys() == {"kid", "is"}
    assert not taken & not_taken(store(9, images, 8)).keys()


def test_scores_of_one_reason_stand_together():
    assert (
        left_out_in_words(not_taken(store(9, 2, 0)))
        == "kid (only 2 validation images); kid/test, is/test (no test images)"
    )
