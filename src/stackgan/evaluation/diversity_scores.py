"""Diversity within one caption as a score: a few pictures of a few captions, small enough to be held at once."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from stackgan.evaluation.captions import equal_groups, split_captions
from stackgan.evaluation.extraction import device_of
from stackgan.evaluation.lpips_diversity import Lpips, lpips_diversity
from stackgan.evaluation.request import ScoreRequest
from stackgan.evaluation.scores import Score
from stackgan.evaluation.subjects import FolderPictures, GeneratedPictures, RealPictures, Subject
from stackgan.inputs import Inputs
from stackgan.networks.text_to_image import TextToImage

RESIZE = "none; below 64 to 64"


def diversity_score(lpips: Lpips, pictures: Tensor, real: Tensor | None) -> Score:
    """Mean LPIPS between pictures of one caption; beside it that between real pictures of one class.

    Its detail `between_captions` is the same between pictures of different captions: what diversity could reach here.

    Args:
        pictures: uint8 [K, n, 3, H, H], n pictures of each of K captions.
        real: uint8 [k, m, 3, H, H], m pictures of each of k classes; None: the data set has none.
    """
    device = device_of(0)
    lpips = lpips.to(device)
    value, std = lpips_diversity(lpips, pictures.to(device))
    between = lpips_diversity(lpips, pictures.transpose(0, 1).to(device))[0] if len(pictures) > 1 else None
    return Score(
        "lpips_diversity",
        value,
        0 if real is None else real.shape[0] * real.shape[1],
        std,
        len(pictures),
        None if real is None else lpips_diversity(lpips, real.to(device))[0],
        details={} if between is None else {"between_captions": between},
    )


def drawn_groups(sampler: TextToImage, inputs: Inputs, request: ScoreRequest) -> Tensor:
    """`diversity_noises` pictures of each of `diversity_captions` test captions, uint8 [K, n, 3, H, H]."""
    captions, _ = split_captions(inputs, "test", request.diversity_captions)
    text = captions.vectors.repeat_interleave(request.diversity_noises, dim=0)  # [K * n, T]
    subject = GeneratedPictures(sampler, text, request.seed, request.truncation)
    return at_once(subject, request.batch_size).unflatten(0, (-1, request.diversity_noises))


def file_groups(pictures: FolderPictures, places: Sequence[Sequence[int]]) -> Tensor:
    """The picture files at these places, uint8 [K, n, 3, H, W]. Raises ValueError where their sizes differ."""
    files = tuple(pictures.files[place] for group in places for place in group)
    return at_once(replace(pictures, files=files)).unflatten(0, (len(places), -1))


def class_groups(inputs: Inputs, image_size: int, groups: int, size: int) -> Tensor | None:
    """Up to `size` real test pictures of each of up to `groups` classes; None where no class has two."""
    store = inputs.store
    of_class: dict[int, list[int]] = {}
    for row in store.indices("test").tolist():
        if store.class_ids[row] >= 0:
            of_class.setdefault(int(store.class_ids[row]), []).append(row)
    chosen = equal_groups(list(of_class.values()), groups, size)
    if not chosen:
        return None
    rows = torch.tensor(chosen).flatten().numpy()
    return at_once(RealPictures(store, rows, image_size)).unflatten(0, (len(chosen), -1))


def at_once(subject: Subject, batch_size: int = 50) -> Tensor:
    """All pictures of a small subject, uint8 [N, 3, H, W] on the CPU. Raises ValueError where their sizes differ."""
    parts = [part.cpu() for part in subject.batches(range(subject.count), batch_size, device_of(0))]
    if len({part.shape[2:] for part in parts}) > 1:
        raise ValueError("lpips_diversity compares pictures of one size, and these have several")
    return torch.cat(parts)
