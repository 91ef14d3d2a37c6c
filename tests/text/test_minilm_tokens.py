"""The features of MiniLM's token states."""

import numpy as np
import pytest

from stackgan.data.birds import ATTRIBUTES, random_individual, write_captions
from stackgan.errors import UserError
from stackgan.evaluation.attribute_accuracy import mentioned_attributes
from stackgan.text.encoders import build_encoder
from stackgan.text.minilm import MiniLM, MiniLMTokens, find_weights

COLORS = ATTRIBUTES["crown_color"]


@pytest.fixture(scope="module")
def encoders():
    try:
        find_weights()
    except UserError as error:
        pytest.skip(str(error))
    return MiniLM(), MiniLMTokens()


def captions(rng, count):
    """Captions of painted birds that say something of the crown, and the index of the crown's colour."""
    texts, targets = [], []
    while len(texts) < count:
        bird = random_individual(rng)
        (caption,) = write_captions(bird, rng, 1)
        if "crown_color" in mentioned_attributes(caption):
            texts.append(caption)
            targets.append(COLORS.index(bird.crown_color))
    return texts, np.array(targets)


def accuracy(encoder):
    """Of a ridge regression from the vectors to the crown's colour, on captions it has not seen."""
    rng = np.random.default_rng(0)
    (train, train_targets), (test, test_targets) = captions(rng, 1000), captions(rng, 300)
    x, y = encoder.encode(train).astype(np.float64), np.eye(len(COLORS))[train_targets]
    mean = x.mean(0)
    kernel = (x - mean) @ (x - mean).T
    weights = (x - mean).T @ np.linalg.solve(kernel + 1e-2 * np.trace(kernel) / len(x) * np.eye(len(x)), y - y.mean(0))
    scores = (encoder.encode(test) - mean) @ weights
    return (scores.argmax(1) == test_targets).mean()


@pytest.mark.slow
def test_they_keep_which_part_has_which_colour_where_the_sentence_vector_does_not(encoders):
    sentence, tokens = (accuracy(encoder) for encoder in encoders)
    assert tokens > sentence + 0.1, (sentence, tokens)


def test_components_have_unit_variance_and_equal_captions_equal_vectors(encoders):
    tokens = encoders[1]
    vectors = tokens.encode(["a red bird", "a blue bird with a long bill", "a red bird"])
    assert vectors.shape == (3, 2048) and vectors.dtype == np.float32
    np.testing.assert_allclose((vectors**2).mean(1), 1, rtol=1e-5)
    np.testing.assert_allclose(vectors[0], vectors[2], atol=1e-5)
    np.testing.assert_allclose(MiniLMTokens().encode(["a red bird"])[0], vectors[0], atol=1e-4)  # alone or in a batch


def test_the_two_encoders_are_told_apart(encoders):
    assert encoders[0].fingerprint() != encoders[1].fingerprint()
    assert build_encoder("minilm_tokens").name == "minilm_tokens"
    with pytest.raises(UserError, match="text=attributes"):
        build_encoder("attributes")
