"""CLIPScore of a tiny random CLIP against the formula and against torchmetrics, and what is said where there is none."""

import json
import shutil
import socket

import pytest
import torch
from safetensors.torch import load_file, save_file

from stackgan.errors import UserError
from stackgan.evaluation import clip_score as module
from stackgan.evaluation.clip_score import ClipScorer, clip_scores

CAPTIONS = ["a small red bird", "a bird with black wings and a long bill", "blue"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A random CLIP with an alphabet of letters, as `save_pretrained` writes one."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    path = tmp_path_factory.mktemp("clip") / "tiny"
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: i for i, word in enumerate(words)}
    special = dict(bos_token_id=52, eos_token_id=53, pad_token_id=53)
    small = dict(hidden_size=32, intermediate_size=37, num_attention_heads=4, num_hidden_layers=2)
    config = transformers.CLIPConfig(
        text_config=dict(small, vocab_size=len(words), max_position_embeddings=48, **special),
        vision_config=dict(small, image_size=32, patch_size=8),
        projection_dim=16,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        transformers.CLIPModel(config).save_pretrained(path)
    (path / "vocab.json").write_text(json.dumps(vocabulary))
    (path / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer.from_pretrained(path, model_max_length=48)
    side = {"height": 32, "width": 32}
    processor = transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=side)
    transformers.CLIPProcessor(processor, tokenizer).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def images():
    return torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def vectors(folder, images, captions):
    """Both encoders of the model itself, one picture and one unpadded caption at a time."""
    from transformers import CLIPModel, CLIPProcessor

    model, processor = CLIPModel.from_pretrained(folder).eval(), CLIPProcessor.from_pretrained(folder)
    scaling = processor.image_processor
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (scaling.image_mean, scaling.image_std))
    pictures, texts = [], []
    with torch.no_grad():
        for image, caption in zip(images, captions, strict=True):
            tokens = processor.tokenizer(caption, return_tensors="pt").input_ids
            output = model(pixel_values=(image[None] / 255 - mean) / std, input_ids=tokens)
            pictures.append(output.image_embeds)
            texts.append(output.text_embeds)
    return torch.cat(pictures).double(), torch.cat(texts).double()


def scores_of(scorer, images, captions):
    return clip_scores(scorer.image_vectors(images), scorer.text_vectors(captions))


def test_it_is_the_formula(folder, images):
    scores = scores_of(ClipScorer(str(folder)), images, CAPTIONS)
    pictures, texts = vectors(folder, images, CAPTIONS)
    cosines = (pictures * texts).sum(1) / (pictures.norm(dim=1) * texts.norm(dim=1))
    assert cosines.min() < 0 < cosines.max()  # both sides of the clamp
    torch.testing.assert_close(scores, (100 * cosines).clamp(min=0), rtol=1e-4, atol=1e-4)


def test_it_equals_torchmetrics_on_each_picture(folder, images):
    from torchmetrics.functional.multimodal import clip_score as reference
    from transformers import CLIPModel, CLIPProcessor

    model = CLIPModel.from_pretrained(folder).eval()

    class Unwrapped(torch.nn.Module):  # torchmetrics expects the vectors that transformers 5 wraps
        config = model.config

        def get_image_features(self, pixels):
            return model(pixel_values=pixels, input_ids=torch.tensor([[52, 53]])).image_embeds

        def get_text_features(self, tokens, mask):
            blank = torch.zeros(1, 3, 32, 32)
            return model(pixel_values=blank, input_ids=tokens, attention_mask=mask).text_embeds

    loaded = Unwrapped(), CLIPProcessor.from_pretrained(folder)
    with torch.no_grad():
        expected = [reference(i, c, lambda: loaded).item() for i, c in zip(images, CAPTIONS, strict=True)]
    assert scores_of(ClipScorer(str(folder)), images, CAPTIONS).tolist() == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_scores_do_not_depend_on_the_batches(folder, images):
    scorer = ClipScorer(str(folder))
    each = scores_of(scorer, images, CAPTIONS)
    texts = scorer.text_vectors(CAPTIONS)
    for size in (1, 2, 3):
        pictures = torch.cat([scorer.image_vectors(batch) for batch in images.split(size)])
        torch.testing.assert_close(clip_scores(pictures, texts), each, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="captions for"):
        scores_of(scorer, images, [*CAPTIONS, "one too many"])


def test_a_caption_beyond_the_models_length_is_cut(folder, images):
    scorer = ClipScorer(str(folder))
    long, cut = ("a " * count for count in (200, 46))
    torch.testing.assert_close(scores_of(scorer, images[:1], [long]), scores_of(scorer, images[:1], [cut]))


def test_name_and_hash_say_which_weights(folder, tmp_path):
    scorer = ClipScorer(str(folder))
    other = shutil.copytree(folder, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    weights["logit_scale"] += 1
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    changed = ClipScorer(str(other))
    assert scorer.name == "clip_tiny" and changed.name == "clip_other"
    assert len(scorer.weights) == 16 and scorer.weights != changed.weights


@pytest.mark.parametrize("lost", ["model.safetensors", "config.json", "processor_config.json"])
def test_an_incomplete_folder_says_what_to_give(folder, tmp_path, lost):
    part = shutil.copytree(folder, tmp_path / "part")
    (part / lost).unlink()
    with pytest.raises(UserError, match="save_pretrained"):
        ClipScorer(str(part))


def test_a_model_that_is_not_here_is_not_downloaded(monkeypatch, tmp_path):
    pytest.importorskip("transformers", reason="transformers is not installed")
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("it reached for the network"))
    for source in ("nobody/no-such-clip", str(tmp_path / "nowhere")):
        with pytest.raises(UserError, match="give the folder"):
            ClipScorer(source)


def test_without_transformers_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install transformers"):
        ClipScorer("openai/clip-vit-base-patch32")
