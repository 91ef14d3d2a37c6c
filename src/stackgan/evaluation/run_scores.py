"""All scores of a finished run, or of a folder of pictures, each recorded with its protocol."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from stackgan.config import Config, saved_config, stage_scale
from stackgan.data.files import exclusive
from stackgan.data.image_files import BadImages
from stackgan.errors import UserError
from stackgan.evaluation import attribute_scores, diversity_scores
from stackgan.evaluation.captions import Captions, folder_captions, same_caption, split_captions
from stackgan.evaluation.extraction import device_of
from stackgan.evaluation.feature_store import FeatureStore
from stackgan.evaluation.frame import frame_report
from stackgan.evaluation.lpips_diversity import Lpips
from stackgan.evaluation.panel import Heard, Panel
from stackgan.evaluation.picture_files import ImageList, list_images
from stackgan.evaluation.record import RECORDS, ProtocolRecord, append_records
from stackgan.evaluation.request import SAMPLES, ScoreRequest
from stackgan.evaluation.scores import Score
from stackgan.evaluation.subjects import FolderPictures, GeneratedPictures, Subject
from stackgan.evaluation.weights import chosen_bundle
from stackgan.inputs import prepare_inputs
from stackgan.provenance import Provenance
from stackgan.run_directory import Status, read_status
from stackgan.text.encoders import ENCODERS, build_encoder
from stackgan.text.precision import same_encoder
from stackgan.training.bundle import GeneratorBundle


@dataclass(frozen=True)
class Scored:
    """What an evaluation found, and where it is written."""

    folder: Path
    records: list[ProtocolRecord]
    notes: list[str]  # sentences: frames, and what was left out


def score_run(run: Path, request: ScoreRequest) -> Scored:
    """Judge a run's generator by test captions; the records go to its evaluation.json, the frames to its frames.csv.

    Raises UserError where there is no such run, it has no generator yet, or the data set has too few pictures.
    """
    config = saved_config(run)
    if request.cache is not None:
        config.data.cache = str(request.cache)
    bundle, inputs = chosen_bundle(run, request.weights), prepare_inputs(config)
    if not same_encoder(bundle.text.fingerprint, inputs.encoder.fingerprint):
        raise UserError(
            f"run={run} was trained on {bundle.text.name} embeddings ({bundle.text.fingerprint}), and those at hand are "
            f"{inputs.encoder.name} ({inputs.encoder.fingerprint}); install the versions of requirements/offline.txt."
        )
    panel = Panel(inputs, request, Path(config.data.cache), bundle.sampler.image_size)
    panel.check()
    trained_on = (read_status(run) or Status("done")).data_fingerprint
    if trained_on not in ("", inputs.store.fingerprint):
        panel.notes.append(
            f"data: the run was trained on {trained_on}, and is judged by another data set, {inputs.store.fingerprint}."
        )
    captions, _ = split_captions(inputs, "test", request.samples or SAMPLES)
    name = f"run-{bundle.signature or run.name}"
    subject = GeneratedPictures(bundle.sampler, captions.vectors, request.seed, request.truncation, name)
    how = {
        "captions": "test", "generator": request.weights, "images": bundle.images, "truncation": request.truncation,
    }  # fmt: skip
    with _evaluating(panel, subject, captions, how, run) as evaluation:
        evaluation.judge([f"{i:06d} {text}" for i, text in enumerate(captions.texts)])
        if "attribute_accuracy" in request.metrics and inputs.store.source == "birds" and bundle.text.name in ENCODERS:
            evaluation.attributes(bundle)
        if "lpips_diversity" in request.metrics:
            evaluation.diversity(diversity_scores.drawn_groups(bundle.sampler, inputs, request))
        return evaluation.finish()


def score_images(folder: Path, config: Config, request: ScoreRequest, found: ImageList | None = None) -> Scored:
    """Judge a folder of pictures by the test pictures of the configured data set; the records go to evaluation.json there.

    Args:
        config: its data, text and scale are used.
        request: its `size` is the side at which real pictures are looked at; None: that of the first picture.
        found: the folder's images, where they have been listed already.

    Raises UserError where the folder holds no picture, one that cannot be read, or too few.
    """
    images = found or list_images(folder, request.samples, cast(BadImages, request.bad_images))
    request.enough(len(images.files), f"the number of pictures in {folder}")
    pictures, sizes = FolderPictures(folder, images.files), images.sizes
    side = request.size or sizes[0][1]
    stage_scale(config).image_size = side
    inputs = prepare_inputs(config)
    panel = Panel(inputs, request, Path(config.data.cache), side)
    panel.check()
    panel.notes += images.notes
    told = folder_captions(folder, pictures.files, inputs)
    captions = None if isinstance(told, str) else told
    how = {
        "captions": "none" if captions is None else "own", "generator": "folder", "images": 0,
        "subject": folder.resolve().name,
    }  # fmt: skip
    others = sum(each != (side, side) for each in sizes)
    if others:
        panel.notes.append(
            f"sizes: {others} of {len(sizes)} pictures are not {side} x {side} px as the real ones are looked at; the feature "
            "network resizes each, and scores of pictures of other sizes are other scores."
        )
    with _evaluating(panel, pictures, captions, how, folder) as evaluation:
        evaluation.judge(pictures.files)
        if isinstance(told, str):
            panel.notes.append(f"scores that need captions are left out: {told}.")
        elif "lpips_diversity" in request.metrics:
            groups = same_caption(told.texts, request.diversity_captions, request.diversity_noises)
            if groups:
                panel.attempt(lambda: evaluation.diversity(diversity_scores.file_groups(pictures, groups)))
            else:
                panel.notes.append("lpips_diversity is left out: no two pictures share a caption.")
        return evaluation.finish()


@contextmanager
def _evaluating(
    panel: Panel, subject: Subject, captions: Captions | None, how: dict[str, Any], folder: Path
) -> Iterator["_Evaluation"]:
    """One evaluation of a folder at a time: the end of one deletes the chunks that another like it would be reading."""
    with exclusive(folder / RECORDS):
        yield _Evaluation(panel, subject, captions, how, folder)


class _Evaluation:
    """Collects the records of one subject."""

    def __init__(
        self, panel: Panel, subject: Subject, captions: Captions | None, how: dict[str, Any], folder: Path
    ) -> None:
        self.panel, self.subject, self.captions, self.folder = panel, subject, captions, folder
        self.records: list[ProtocolRecord] = []
        self.stores: list[FeatureStore] = []
        self.protocol = {
            "samples": subject.count,
            "seed": panel.request.seed,
            "image_size": panel.image_size,
            "data": panel.inputs.store.fingerprint,
            "provenance": Provenance.here(device_of(0), ranks=panel.request.devices).record(),
            **how,
        }

    def judge(self, names: Iterable[str]) -> None:
        """Everything that follows from the one pass over the pictures; `names` are those of frames.csv."""
        if not self.panel.listens:
            return
        panel, network = self.panel, self.panel.network
        heard = panel.hear(self.subject)
        self.stores.append(heard.store)
        for frames, said in heard.versions.items():
            self._record(panel.scores(said), network.name, network.weights, network.resize, frames=frames)
            with_text = f"{network.name}, {panel.inputs.encoder.name}"
            aligned = panel.alignment_scores(said, self.captions)
            self._record(aligned, with_text, network.weights, network.resize, frames=frames)
        if panel.clip is not None:
            scores = panel.clip_scores(heard, self.captions)
            self._record(scores, panel.clip.name, panel.clip.weights, "CLIP's own")
        if heard.frames is not None:
            self._report_frames(heard, heard.frames, names)

    def diversity(self, pictures: Tensor) -> list[Score]:
        """LPIPS between pictures of one caption, uint8 [K, n, 3, H, W]."""
        panel, lpips = self.panel, Lpips()
        real = diversity_scores.class_groups(panel.inputs, panel.image_size, *pictures.shape[:2])
        score = diversity_scores.diversity_score(lpips, pictures, real)
        samples = pictures.shape[0] * pictures.shape[1]
        self._record([score], lpips.name, lpips.weights, diversity_scores.RESIZE, samples=samples)
        return [score]

    def attributes(self, bundle: GeneratorBundle) -> None:
        """Accuracy of the attributes that captions name."""
        panel, request = self.panel, self.panel.request
        encoder = build_encoder(bundle.text.name)
        score, weights, store = attribute_scores.attribute_score(
            bundle.sampler, encoder, self.subject.count, request.seed, request.truncation, panel.cache, panel.workers
        )
        self.stores.append(store)
        captions = attribute_scores.CAPTIONS
        self._record([score], attribute_scores.NETWORK, weights, attribute_scores.RESIZE, captions=captions)

    def finish(self) -> Scored:
        """Write the records; only then is what the networks said no longer needed."""
        append_records(self.folder, self.records)
        for store in self.stores:
            store.remove()
        return Scored(self.folder, self.records, self.panel.notes)

    def _record(self, scores: Iterable[Score], network: str, weights: str, resize: str, **changes: Any) -> None:
        protocol = {**self.protocol, "network": network, "weights": weights, "resize": resize, **changes}
        self.records += [ProtocolRecord(**asdict(score), **protocol) for score in scores]

    def _report_frames(self, heard: Heard, frames: Tensor, names: Iterable[str]) -> None:
        path = self.folder / "frames.csv"
        frame_report(path, names, frames)
        widths = frames[frames > 0].double()
        width = f", {float(widths.median()):.0f} px wide in the middle case" if len(widths) else ""
        self.panel.notes.append(
            f"frames: {100 * heard.framed:.1f} % of the pictures have one{width}; each picture's is in {path}."
        )
