"""Which pictures a score is taken of."""

import json

import pytest
import torch

from stackgan.evaluation.record import ProtocolRecord, append_record
from stackgan.evaluation.samples import generated_pixels, share
from stackgan.networks.build import build_generator
from stackgan.networks.text_to_image import TextToImage


def test_a_picture_is_a_function_of_its_index_whatever_batch_or_rank_makes_it():
    torch.manual_seed(0)
    sampler = TextToImage(build_generator("one", text_dim=6, image_size=16, base_channels=8, noise_dim=5))
    text = torch.randn(11, 6)

    def draw(indices, batch):
        return torch.cat(list(generated_pixels(sampler, text, 3, indices, batch, torch.device("cpu"))))

    whole = draw(range(11), 11).int()
    ranks = torch.cat([draw(share(11, rank, 3), 2) for rank in range(3)]).int()
    assert (whole - ranks).abs().max() <= 1  # rounding of the convolutions
    assert (draw(range(11), 4).int() - whole).abs().max() <= 1


def test_shares_are_contiguous_and_complete():
    for count, world_size in ((10, 3), (3, 4), (8, 2)):
        assert [i for rank in range(world_size) for i in share(count, rank, world_size)] == list(range(count))


def test_a_repeated_measurement_replaces_the_earlier_one(tmp_path):
    def record(value, images):
        return ProtocolRecord(
            "is_efflite0", value, 0.1, 3.0, "efflite0", "ab", "128", 10, 10, 2, 0, "test", "ema", images
        )

    for value, images in ((1.0, 64), (2.0, 128), (1.5, 64)):
        append_record(tmp_path, record(value, images))
    rows = json.loads((tmp_path / "evaluation.json").read_text())
    assert {row["images"]: row["value"] for row in rows} == {128: 2.0, 64: 1.5}
    assert rows[0]["network"] == "efflite0" and rows[0]["real"] == pytest.approx(3.0)
