"""Judging painted birds by their captions."""

import numpy as np
import pytest
import torch

from stackgan.data.birds import ATTRIBUTES, random_individual, write_captions
from stackgan.evaluation.attribute_accuracy import (
    AttributeClassifier,
    Exam,
    judge,
    labels,
    make_exam,
    mentioned_attributes,
    train_classifier,
)


@pytest.mark.parametrize(
    ("caption", "mentioned"),
    [
        ("this bird has a red crown and a white belly.", {"crown_color", "breast_color"}),
        ("a black-backed bird with a pointed blue crest", {"back_color", "crown_color", "head_pattern"}),
        ("this is a long-billed bird with plain grey wings.", {"bill_shape", "wing_color", "wing_pattern"}),
        ("a bird with a short, thick orange bill, and its wings are blue with white bars",
         {"bill_shape", "bill_color", "wing_color", "wing_pattern"}),
        ("the bird has black wings, a hooked bill and a fan-shaped tail", {"wing_color", "bill_shape", "tail_shape"}),
        ("a green-winged bird sitting on a branch, with a brown back", {"wing_color", "back_color"}),
    ],
)  # fmt: skip
def test_what_a_caption_speaks_of(caption, mentioned):
    assert set(mentioned_attributes(caption)) == mentioned


def test_every_caption_speaks_of_at_least_two_attributes_and_all_are_spoken_of():
    rng = np.random.default_rng(0)
    spoken = [set(mentioned_attributes(c)) for _ in range(100) for c in write_captions(random_individual(rng), rng, 5)]
    assert min(len(s) for s in spoken) >= 2
    assert set.union(*spoken) == set(ATTRIBUTES)


class Oracle(AttributeClassifier):
    """Reads the right values, or value 0, from the first pixel."""

    def forward(self, images):
        right = images[:, 0, 0, 0].long()
        return [torch.nn.functional.one_hot(right % len(values), len(values)).float() for values in ATTRIBUTES.values()]


def exam(values):
    targets = torch.tensor([[v % len(values_) for values_ in ATTRIBUTES.values()] for v in values])
    painted = torch.tensor(values, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 64, 64)
    return Exam([""] * len(values), targets, torch.ones_like(targets, dtype=torch.bool), painted)


def test_as_good_as_the_painter_is_one_and_one_answer_for_all_is_guessing():
    values = [i % 120 for i in range(120)]
    test = exam(values)
    assert judge(Oracle(), test, test.painted).relative == pytest.approx(1)
    constant = torch.zeros_like(test.painted)
    assert judge(Oracle(), test, constant).relative == pytest.approx(0, abs=0.02)


def test_only_mentioned_attributes_count():
    test = exam([0, 1])
    mentioned = torch.zeros_like(test.mentioned)
    mentioned[0] = True  # picture 1 would be wrong everywhere, but its caption says nothing
    test = Exam(test.captions, test.targets, mentioned, test.painted)
    assert judge(Oracle(), test, torch.zeros_like(test.painted)).relative == pytest.approx(1)


@pytest.mark.slow
def test_a_classifier_learns_painted_birds_far_beyond_guessing():
    classifier = AttributeClassifier()
    train_classifier(classifier, birds=1024, epochs=6)
    test = make_exam(200)
    accuracy = judge(classifier.eval(), test, test.painted)
    assert accuracy.generated["wing_color"] > 0.6 > accuracy.chance["wing_color"]


def test_labels_follow_the_order_of_the_attributes():
    bird = random_individual(np.random.default_rng(1))
    assert [values[i] for values, i in zip(ATTRIBUTES.values(), labels(bird), strict=True)] == [
        getattr(bird, name) for name in ATTRIBUTES
    ]
