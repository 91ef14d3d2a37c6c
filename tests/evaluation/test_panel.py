"""What a data set's judges read, of which pictures, and what follows from it; the network is one of mean colours."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from extraction_job import MeanColours
from torch import Tensor

from stackgan.data.views import centre_windows
from stackgan.errors import UserError
from stackgan.evaluation import panel as module
from stackgan.evaluation.caption_alignment import fit_scorer, r_precision
from stackgan.evaluation.captions import pairs, split_captions
from stackgan.evaluation.extraction import Workers
from stackgan.evaluation.frame import find_frames, without_frames
from stackgan.evaluation.panel import Heard, Panel
from stackgan.evaluation.request import ScoreRequest
from stackgan.inputs import prepare_inputs
from support import TINY, composed


@pytest.fixture(scope="module")
def inputs(cache):
    return prepare_inputs(composed(*TINY, f"data.cache={cache}"))


@pytest.fixture
def panel(inputs, tmp_path):
    def make(**request):
        made = Panel(inputs, ScoreRequest(**({"samples": 12, "splits": 2} | request)), tmp_path, 16)
        made.network = MeanColours()
        return made

    return make


@dataclass
class Pictures:
    """A subject of pictures at hand."""

    images: Tensor
    name: str = "pictures"

    @property
    def count(self):
        return len(self.images)

    def identity(self):
        return {"pictures": int(self.images.sum())}

    def batches(self, pictures, batch_size, device):
        yield from self.images[list(pictures)].split(batch_size)


def noise(count, framed=0):
    """Pictures of noise, of which the first `framed` have a white frame."""
    images = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images[:framed, :, :4], images[:framed, :, -4:] = 255, 255
    images[:framed, :, :, :4], images[:framed, :, :, -4:] = 255, 255
    return images


@pytest.mark.parametrize(("asked", "count"), [(None, 42), (8, 8), (41, 41), (42, 42), (1000, 42)])
def test_real_pictures_are_all_or_as_many_as_asked_for_evenly_spread(inputs, panel, asked, count):
    rows, every = panel(real_samples=asked).rows("train"), inputs.store.indices("train")
    assert len(every) == 42 and np.searchsorted(every, rows).tolist() == [i * 42 // count for i in range(count)]


@pytest.mark.parametrize("few", ["test", "train"])
def test_a_data_set_with_few_pictures_of_a_split_is_refused(tmp_path, few):
    for count in (7, 8):
        store = SimpleNamespace(indices=lambda split, count=count: np.arange(count if split == few else 20))
        panel = Panel(SimpleNamespace(store=store), ScoreRequest(samples=12), tmp_path, 16)
        panel.network = MeanColours()
        if count == 8:
            panel.check()
        else:
            with pytest.raises(UserError, match=f"7 {few} images.*at least 8"):
                panel.check()


def test_each_split_says_its_own(inputs, panel):
    anchors = panel().anchors
    for split, said in (("test", anchors.test), ("train", anchors.train)):
        features, logits = MeanColours().both(centre_windows(inputs.store, inputs.store.indices(split), 16))
        torch.testing.assert_close(said.features, features)
        torch.testing.assert_close(said.logits, logits)


@pytest.mark.parametrize(
    ("frames", "framed", "versions"),
    [
        ("report", 0, ["kept"]),
        ("report", 2, ["kept"]),  # one in a hundred
        ("report", 3, ["kept", "cropped"]),
        ("crop", 0, ["cropped"]),
        ("crop", 3, ["cropped"]),
        ("off", 3, ["kept"]),
    ],
)
def test_scores_are_taken_without_frames_where_more_than_one_in_a_hundred_has_one(panel, frames, framed, versions):
    heard = panel(frames=frames).hear(Pictures(noise(200, framed)))
    assert list(heard.versions) == versions
    assert heard.framed == (0 if frames == "off" else framed / 200)


def test_a_frame_at_one_side_is_one():
    assert Heard(None, torch.tensor([[3, 0, 0, 0], [0, 0, 0, 0]]), {}).framed == 0.5


def test_without_frames_the_framed_pictures_are_their_insides_and_the_others_as_they_are(panel):
    images = noise(20, 5)
    images[5:, :, :8] = images[5:, :, 8:16]  # no frame
    heard = panel().hear(Pictures(images))
    inside = torch.cat([without_frames(images[:5], find_frames(images)[:5]), images[5:]])
    for version, pictures in (("kept", images), ("cropped", inside)):
        features, logits = MeanColours().both(pictures)
        torch.testing.assert_close(heard.versions[version].features, features)
        torch.testing.assert_close(heard.versions[version].logits, logits)


@pytest.mark.parametrize("read", [None, 20])
def test_r_precision_is_of_own_captions_beside_the_next_ones_and_real_pictures(inputs, panel, read):
    judge = panel(samples=160, seed=5, metrics=["r_precision"], real_samples=read)
    said = judge.hear(Pictures(noise(160))).versions["kept"]
    captions, rows = split_captions(inputs, "test", 160)
    (score,) = judge.alignment_scores(said, captions)
    of_train, places = pairs(inputs, judge.rows("train"))
    scorer = fit_scorer(judge.anchors.train.features[places], of_train.vectors, of_train.class_ids, seed=5)

    def measured(features, texts):
        return r_precision(scorer, features, texts.vectors, texts.class_ids, seed=5)

    assert (score.value, score.std) == measured(said.features, captions)
    assert score.shuffled == measured(said.features, captions.shuffled())[0]
    kept = [i for i, row in enumerate(rows) if row in judge.rows("test")]  # captions of pictures that were read
    assert score.real_samples == len(kept) and (read is None) == (len(kept) == 160)
    if read is None:
        where = [judge.rows("test").tolist().index(row) for row in rows]
        assert score.real == measured(judge.anchors.test.features[where], captions)[0] != score.shuffled
    assert not list(judge.alignment_scores(said, None)) and not list(
        panel(metrics=["is"]).alignment_scores(said, captions)
    )


def test_scores_by_the_network_draw_by_the_requests_seed_and_splits(panel):
    said = panel().hear(Pictures(noise(40))).versions["kept"]
    found = {}
    for seed, splits in ((0, 2), (5, 2), (0, 4)):
        (found[seed, splits],) = panel(metrics=["is"], seed=seed, splits=splits).scores(said)
    assert len({score.value for score in found.values()}) == 3 and found[0, 4].splits == 4


def test_a_score_that_the_numbers_do_not_suffice_for_is_a_note_and_a_fault_is_not(panel):
    judge = panel()

    def refuse(error):
        raise error

    assert (
        judge.attempt(lambda: refuse(ValueError("too few."))) == judge.attempt(lambda: refuse(UserError("none"))) == []
    )
    assert judge.notes == ["left out: too few.", "left out: none."]
    with pytest.raises(KeyError):
        judge.attempt(lambda: refuse(KeyError("x")))


def test_pictures_are_looked_at_only_where_a_score_needs_it(panel, monkeypatch):
    monkeypatch.setattr(module, "ClipScorer", lambda source: source)
    assert not panel(metrics=["lpips_diversity", "attribute_accuracy"]).listens
    assert panel(metrics=["lpips_diversity", "kid"]).listens
    assert panel(metrics=["clip_score"], clip=Path("clip")).listens
    assert not panel(metrics=["clip_score"]).listens  # no CLIP is given
    assert panel(metrics=["lpips_diversity"], clip=Path("clip")).clip is None  # one is given, and not wanted
    assert panel(devices=3, batch_size=7).workers == Workers(devices=3, batch_size=7)


@pytest.mark.parametrize(("network", "official"), [("auto", "file"), ("inception", "file"), ("classifier", None)])
def test_a_file_is_of_the_official_network_or_of_the_one_that_is_named(
    inputs, tmp_path, monkeypatch, network, official
):
    monkeypatch.setattr(module, "build_feature_network", lambda *given, path, **_: (*given, path))
    judge = Panel(inputs, ScoreRequest(network=network, network_path=Path("file")), tmp_path, 16)
    assert judge.network == (network, official, Path("file"))
