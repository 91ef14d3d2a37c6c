"""Attribute accuracy as evaluation takes it: the value of `judge`, without holding the pictures."""

import numpy as np
import pytest
import torch
from extraction_job import generated
from safetensors.torch import save_file

from stackgan.evaluation import attribute_scores
from stackgan.evaluation.attribute_accuracy import AttributeClassifier, judge, judged, make_exam
from stackgan.evaluation.attribute_scores import attribute_score
from stackgan.evaluation.extraction import Workers
from stackgan.evaluation.samples import generated_pixels


class Lengths:
    """Captions as vectors of a few numbers that differ."""

    def encode(self, captions):
        rng = [np.random.default_rng(sum(caption.encode())) for caption in captions]
        return np.stack([each.standard_normal(6, dtype=np.float32) for each in rng])


def test_it_is_the_value_of_judge_whatever_the_batch(tmp_path, monkeypatch):
    torch.manual_seed(0)
    classifier = AttributeClassifier().eval()
    path = tmp_path / "classifier.safetensors"
    save_file(classifier.state_dict(), path)
    monkeypatch.setattr(attribute_scores, "attribute_classifier", lambda cache: (path, classifier))
    sampler, encoder = generated(1).sampler, Lengths()
    score, weights, store = attribute_score(sampler, encoder, 40, 3, 1.0, tmp_path, Workers(batch_size=7))
    exam = make_exam(40)
    text = torch.from_numpy(encoder.encode(exam.captions))
    pictures = torch.cat(list(generated_pixels(sampler, text, 3, range(40), 40, torch.device("cpu"))))
    expected = judge(classifier, exam, pictures)
    assert score.value == pytest.approx(expected.relative, abs=1e-9)
    assert {k: v for k, v in score.details.items() if k.endswith("/painted")} == {
        f"{name}/painted": value for name, value in expected.painted.items()
    }
    assert len(weights) == 16 and len(store.read("found")) == 40


def test_with_another_birds_caption_a_perfect_painter_scores_about_as_guessing():
    exam = make_exam(150)
    assert judged(exam.targets, exam.targets, exam).relative == pytest.approx(1)
    assert abs(judged(exam.targets.roll(1, 0), exam.targets, exam).relative) < 0.25
