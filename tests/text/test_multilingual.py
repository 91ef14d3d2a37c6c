"""The multilingual encoder, on a small model with random weights in the layout of its release."""

import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from stackgan.errors import UserError
from stackgan.text import minilm_files
from stackgan.text.encoders import build_encoder
from stackgan.text.multilingual import MultilingualMiniLM
from stackgan.text.precision import AGREEMENT, cosine_distances
from stackgan.text.reading import unread_notes

CONFIG = {
    "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu", "hidden_size": 24, "num_hidden_layers": 3,
    "num_attention_heads": 4, "intermediate_size": 96, "layer_norm_eps": 1e-12, "max_position_embeddings": 512,
    "type_vocab_size": 2, "pad_token_id": 0, "position_embedding_type": "absolute",
    "attention_probs_dropout_prob": 0.1, "hidden_dropout_prob": 0.1, "initializer_range": 0.02,
}  # fmt: skip
CAPTIONS = ["빨간 새", "a red bird", "красная птица 새", "鳥", "a bird and a bird and a red bird"]


def save_tokenizer(path):
    """XLM-R's kind: a unigram model over pieces that begin with a low line, with padding and truncation as the release saves them."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    letters = sorted(set("".join(CAPTIONS) + "abcdefghijklmnopqrstuvwxyz▁") - {" "})
    pieces = [(word, 0.0) for word in special] + [(letter, -5.0) for letter in letters]
    pieces += [("▁bird", -2.0), ("▁a", -2.5), ("▁red", -3.0), ("▁빨간", -3.0), ("птица", -3.5)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.add_special_tokens(special)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.enable_truncation(128)
    tokenizer.enable_padding(pad_id=1, pad_token="<pad>")
    tokenizer.save(str(path))
    return tokenizer.get_vocab_size()


def save_weights(path, vocabulary):
    """BertModel's tensors by their names, with the two kinds that have no part in a sentence vector."""
    size, wide, generator = CONFIG["hidden_size"], CONFIG["intermediate_size"], torch.Generator().manual_seed(0)
    shapes = {"embeddings.word_embeddings": (vocabulary, size), "embeddings.position_embeddings": (512, size),
              "embeddings.token_type_embeddings": (2, size), "pooler.dense": (size, size)}  # fmt: skip
    norms = ["embeddings.LayerNorm"]
    for layer in range(CONFIG["num_hidden_layers"]):
        name = f"encoder.layer.{layer}"
        parts = (*(f"attention.self.{part}" for part in ("query", "key", "value")), "attention.output.dense")
        shapes |= {f"{name}.{part}": (size, size) for part in parts}
        shapes |= {f"{name}.intermediate.dense": (wide, size), f"{name}.output.dense": (size, wide)}
        norms += [f"{name}.attention.output.LayerNorm", f"{name}.output.LayerNorm"]
    weights = {"embeddings.position_ids": torch.arange(512)[None]}
    for name, shape in shapes.items():
        weights[f"{name}.weight"] = 0.3 * torch.randn(shape, generator=generator)
        if "embeddings" not in name:
            weights[f"{name}.bias"] = 0.1 * torch.randn(shape[0], generator=generator)
    for name in norms:
        weights[f"{name}.weight"] = 1 + 0.1 * torch.randn(size, generator=generator)
        weights[f"{name}.bias"] = 0.1 * torch.randn(size, generator=generator)
    save_file(weights, path)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A Hugging Face cache as the hub's client leaves it: blobs, a reference, and links in a snapshot."""
    home = tmp_path_factory.mktemp("huggingface")
    place = home / "hub" / "models--sentence-transformers--paraphrase-multilingual-MiniLM-L12-v2"
    snapshot = place / "snapshots" / minilm_files.REVISION
    for folder in (place / "blobs", place / "refs", snapshot, place / "snapshots" / ("0" * 40)):
        folder.mkdir(parents=True)
    (place / "refs" / "main").write_text(minilm_files.REVISION)
    vocabulary = save_tokenizer(place / "blobs" / "tokenizer")
    (place / "blobs" / "config").write_text(json.dumps({**CONFIG, "vocab_size": vocabulary}))
    save_weights(place / "blobs" / "model", vocabulary)
    for file in minilm_files.FILES:
        (snapshot / file).symlink_to(place / "blobs" / file.split(".")[0])
    (place / "snapshots" / ("0" * 40) / "config.json").write_text("{}")  # of a download that broke off
    return home


@pytest.fixture
def encoder(cache, monkeypatch):
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(cache))
    return build_encoder("multilingual")


def test_it_is_found_in_the_cache_by_name_and_reads_every_script(encoder):
    vectors = encoder.encode(CAPTIONS)
    assert isinstance(encoder, MultilingualMiniLM) and encoder.folder.name == minilm_files.REVISION
    assert vectors.shape == (5, 24) and vectors.dtype == np.float32
    np.testing.assert_allclose((vectors**2).mean(1), 1.0, rtol=1e-5)
    assert (cosine_distances(vectors[:1].repeat(4, 0), vectors[1:]) > 0.01).all()
    minilm_files.check_multilingual()


def test_vectors_are_the_mean_of_berts_last_states(encoder):
    transformers = pytest.importorskip("transformers")
    model = transformers.BertModel.from_pretrained(encoder.folder, attn_implementation="eager").eval()
    tokenizer = Tokenizer.from_file(str(encoder.folder / "tokenizer.json"))  # pads: the mask leaves that out
    encodings = tokenizer.encode_batch(CAPTIONS)
    ids, mask = (torch.tensor([getattr(e, kind) for e in encodings]) for kind in ("ids", "attention_mask"))
    with torch.no_grad():
        states = model(input_ids=ids, attention_mask=mask).last_hidden_state
    mean = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    expected = torch.nn.functional.normalize(mean, dim=-1) * math.sqrt(24)
    np.testing.assert_allclose(encoder.encode(CAPTIONS), expected.numpy(), rtol=0, atol=2e-5)


def test_what_it_does_not_read_is_said(encoder, make_store):
    assert [remark for caption in CAPTIONS for remark in encoder.remarks(caption)] == []
    assert encoder.remarks("a bird ☃") == ["The text encoder does not know ☃."]
    (remark,) = encoder.remarks("a red bird " * 50)
    assert "as far as" in remark
    (note,) = unread_notes(make_store([["새"], ["a bird ☃"]]), encoder)
    assert (
        note.startswith("1 of 2 captions hold words that text=multilingual does not know") and "reads other" not in note
    )


def test_its_fingerprint_follows_its_files_and_precision(encoder, tmp_path):
    rounded = MultilingualMiniLM(precision="bfloat16")
    assert rounded.fingerprint() == f"{encoder.fingerprint()}-bf16"
    assert cosine_distances(encoder.encode(CAPTIONS), rounded.encode(CAPTIONS)).max() <= AGREEMENT
    for file in minilm_files.FILES:
        (tmp_path / file).write_bytes((encoder.folder / file).read_bytes())
    assert MultilingualMiniLM(folder=tmp_path).fingerprint() == encoder.fingerprint()
    (tmp_path / "config.json").write_text((tmp_path / "config.json").read_text() + " ")
    assert MultilingualMiniLM(folder=tmp_path).fingerprint() != encoder.fingerprint()


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    for variable in ("HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    return tmp_path / "hub"


@pytest.mark.parametrize("ask", [minilm_files.check_multilingual, minilm_files.find_multilingual])
@pytest.mark.parametrize("offline", [True, False])
def test_without_cache_and_hub_it_is_one_sentence_with_a_command(empty_cache, monkeypatch, ask, offline):
    def unreachable(*_, **__):
        raise ValueError("Name or service not known\nlong explanation")

    for call in ("get_hf_file_metadata", "snapshot_download"):
        monkeypatch.setattr(f"huggingface_hub.{call}", unreachable)
    if offline:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError) as error:
        ask()
    reason = "HF_HUB_OFFLINE is set" if offline else "Name or service not known"
    assert "\n" not in str(error.value) and f"({reason})" in str(error.value) and str(empty_cache) in str(error.value)
    assert str(error.value).endswith(minilm_files.DOWNLOAD) and "HF_HOME" in str(error.value)


def test_a_download_is_of_one_commit_and_checked(cache, empty_cache, monkeypatch):
    asked = {}
    (snapshot,) = (cache / "hub").glob(f"*/snapshots/{minilm_files.REVISION}")

    def download(repository, **options):
        asked.update(options, repository=repository)
        return str(snapshot)

    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lambda *_, **__: None)
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    with pytest.raises(UserError, match=r"is not the file of revision e8f8c211"):
        minilm_files.find_multilingual()
    assert asked["repository"].endswith("/paraphrase-multilingual-MiniLM-L12-v2")
    assert (asked["revision"], asked["cache_dir"]) == (minilm_files.REVISION, empty_cache)
    assert sorted(asked["allow_patterns"]) == ["config.json", "model.safetensors", "tokenizer.json"]
