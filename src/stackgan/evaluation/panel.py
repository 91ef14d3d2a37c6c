"""The judges that a data set offers: networks, what they say of real pictures, and every score that follows from one pass."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stackgan.data.records import Split
from stackgan.errors import UserError
from stackgan.evaluation.caption_alignment import SPLITS, TextImageScorer, fit_scorer, r_precision
from stackgan.evaluation.captions import Captions, pairs, split_captions
from stackgan.evaluation.clip_score import ClipScorer
from stackgan.evaluation.extraction import PictureReader, Workers, extract
from stackgan.evaluation.feature_networks import FeatureNetwork, build_feature_network, data_fingerprint
from stackgan.evaluation.feature_store import FeatureStore
from stackgan.evaluation.registry import LEAST
from stackgan.evaluation.request import BY_NETWORK, ScoreRequest
from stackgan.evaluation.scores import Anchors, Said, Score, clip_score_of, distribution_scores
from stackgan.evaluation.subjects import RealPictures, Subject
from stackgan.inputs import Inputs

FRAMED = 0.01  # share of framed pictures above which scores are also taken without their frames


@dataclass
class Heard:
    """What was read from the pictures that are judged."""

    store: FeatureStore
    frames: Tensor | None  # int64 [N, 4]; None: not looked for
    versions: dict[str, Said]  # kept, cropped: with the frames, and without

    @property
    def framed(self) -> float:
        """The share of pictures with a frame."""
        return 0.0 if self.frames is None else float(self.frames.any(dim=1).double().mean())


@dataclass(eq=False)
class Panel:
    """Judges pictures by a data set's test pictures, training pictures and captions.

    Attributes:
        notes: sentences about scores that were left out, and why.
    """

    inputs: Inputs
    request: ScoreRequest
    cache: Path
    image_size: int  # at which real pictures are looked at
    notes: list[str] = field(default_factory=list)

    @cached_property
    def network(self) -> FeatureNetwork:
        """The feature network that the request names."""
        request, path = self.request, self.request.network_path
        official = str(path) if path is not None and request.network in ("auto", "inception") else None
        return build_feature_network(
            request.network, official, path=path, cache=self.cache, data=data_fingerprint(self.inputs.store)
        )

    @cached_property
    def clip(self) -> ClipScorer | None:
        """The user's CLIP, where it is given and wanted."""
        wanted = "clip_score" in self.request.metrics and self.request.clip is not None
        return ClipScorer(str(self.request.clip)) if wanted else None

    @property
    def workers(self) -> Workers:
        return Workers(self.request.devices, self.request.batch_size)

    @property
    def listens(self) -> bool:
        """Whether a score needs what a network says of every picture."""
        return self.clip is not None or any(metric in self.request.metrics for metric in BY_NETWORK)

    def check(self) -> None:
        """Refuse a data set with too few pictures, or networks that are not there, before anything is drawn. Raises UserError."""
        for split in ("test", "train"):
            self.rows(split)
        if self.listens:
            _ = self.network, self.clip

    def rows(self, split: Split) -> np.ndarray:
        """The rows of the split's pictures, or of as many as are asked for, evenly spread. Raises UserError where there are few."""
        rows = self.inputs.store.indices(split)
        if len(rows) < LEAST:
            raise UserError(
                f"the data set has {len(rows)} {split} images, and these scores need at least {LEAST}; add images to "
                "that split."
            )
        most = self.request.real_samples or len(rows)
        return rows if most >= len(rows) else rows[np.arange(most) * len(rows) // most]

    def real(self, split: Split, clip: ClipScorer | None = None) -> FeatureStore:
        """What is read from the split's pictures; kept in the cache for every later run of this data set."""
        subject = RealPictures(
            self.inputs.store, self.rows(split), self.image_size, f"{self.inputs.store.source}-{split}"
        )  # fmt: skip
        reader = PictureReader(self.network, clip=clip)
        return extract(subject, reader, self.cache, self.workers, f"reading {split} pictures", keep=True)

    @cached_property
    def anchors(self) -> Anchors:
        """What the network says of real pictures."""
        return Anchors(_said(self.real("test", self.clip)), _said(self.real("train")))

    def hear(self, subject: Subject) -> Heard:
        """The pass over the judged pictures."""
        looking = self.request.frames != "off"
        reader = PictureReader(self.network, looking, self.clip)
        store = extract(subject, reader, self.cache, self.workers, f"judging {subject.count:,} pictures")
        said, frames = _said(store), store.read("frames") if looking else None
        heard = Heard(store, frames, {"kept": said})
        if frames is not None:
            cropped = self.request.frames == "crop"
            if cropped or heard.framed > FRAMED:
                heard.versions["cropped"] = _without_frames(said, frames, store)
            if cropped:
                del heard.versions["kept"]
        return heard

    def scores(self, said: Said) -> Iterator[Score]:
        """The scores of one version of the pictures by the feature network alone."""
        request = self.request
        for measure in distribution_scores(
            said, self.anchors, self.network.suffix, request.metrics, request.splits, request.seed
        ):
            yield from self.attempt(measure)

    def alignment_scores(self, said: Said, captions: Captions | None) -> Iterator[Score]:
        """R-precision by a scorer of this network's features and the data set's caption vectors."""
        if "r_precision" in self.request.metrics and captions is not None:
            yield from self.attempt(lambda: [self._r_precision(said, captions)])

    def clip_scores(self, heard: Heard, captions: Captions | None) -> Iterator[Score]:
        """CLIPScore, where there is a CLIP."""
        if self.clip is None or captions is None:
            return
        pictures, real = heard.store.read("clip"), self.real("test", self.clip).read("clip")
        of_test, places = self._test_captions(len(captions))
        yield clip_score_of(
            pictures,
            self.clip.text_vectors(captions.texts),
            real[places],
            self.clip.text_vectors(of_test.texts),
            self.request.seed,
        )

    def attempt(self, measure: Callable[[], Iterable[Score]]) -> list[Score]:
        """The scores, or a note where the numbers do not suffice for them."""
        try:
            return list(measure())
        except (ValueError, UserError) as error:
            self.notes.append(f"left out: {str(error).rstrip('.')}.")
            return []

    @cached_property
    def _scorer(self) -> TextImageScorer:
        captions, places = pairs(self.inputs, self.rows("train"))
        features = self.anchors.train.features[places]
        return fit_scorer(features, captions.vectors, captions.class_ids, seed=self.request.seed)

    def _test_captions(self, count: int) -> tuple[Captions, Tensor]:
        """`count` test captions, less those of pictures that were not read, and which of the pictures read each is of, int64."""
        captions, rows = split_captions(self.inputs, "test", count)
        place = {row: i for i, row in enumerate(self.rows("test").tolist())}
        chosen = [i for i, row in enumerate(rows.tolist()) if row in place]
        return captions.rows(chosen), torch.tensor([place[int(rows[i])] for i in chosen])

    def _r_precision(self, said: Said, captions: Captions) -> Score:
        seed, scorer = self.request.seed, self._scorer

        def measure(features: Tensor, texts: Captions) -> tuple[float, float]:
            return r_precision(scorer, features, texts.vectors, texts.class_ids, seed=seed)

        value, std = measure(said.features, captions)
        shuffled, _ = measure(said.features, captions.shuffled())
        of_test, places = self._test_captions(len(captions))
        real = None
        with suppress(
            UserError
        ):  # a small data set has too few wrong captions, where captions drawn for repeat pictures
            real, _ = measure(self.anchors.test.features[places], of_test)
        name = f"r_precision{self.network.suffix}"
        return Score(name, value, len(places), std, SPLITS, real, shuffled=shuffled)


def _said(store: FeatureStore) -> Said:
    return Said(store.read("features"), store.read("logits"))


def _without_frames(said: Said, frames: Tensor, store: FeatureStore) -> Said:
    framed = frames.any(dim=1)
    features, logits = said.features.clone(), said.logits.clone()
    features[framed], logits[framed] = store.read_parts("inner/features"), store.read_parts("inner/logits")
    return Said(features, logits)
