"""From the configuration to the store and the embedding table a run trains on; everything is cached, so a second run starts at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from stackgan.config import Config, stage_scale
from stackgan.data.archive import download_cub, is_official, unpack_cub
from stackgan.data.birds import PAINTER_VERSION, paint_birds
from stackgan.data.crop import Fit
from stackgan.data.cub import CaptionRule
from stackgan.data.huggingface import write_dataset
from stackgan.data.prepared import prepare_cub, prepare_emoji, prepare_flowers, prepare_folder
from stackgan.data.records import SPLITS
from stackgan.data.store import ImageStore
from stackgan.evaluation.shortages import shortages
from stackgan.process import say
from stackgan.text.attributes import attribute_table
from stackgan.text.encoders import ENCODERS, build_encoder, fast_encoder
from stackgan.text.precomputed import precomputed_table
from stackgan.text.reading import unread_notes
from stackgan.text.table import EmbeddingTable, embed_store
from stackgan.training.bundle import TextEncoderId


@dataclass(frozen=True)
class Inputs:
    """What a run reads: pictures, and a vector for each of their captions."""

    store: ImageStore
    table: EmbeddingTable
    unread: tuple[str, ...] = ()  # sentences about captions that do not count, or not in full

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about how the data set was read, what it is too small for, and what of its captions counts."""
        return (*self.store.notes, *shortages(self.store), *self.unread)

    @property
    def encoder(self) -> TextEncoderId:
        return TextEncoderId(self.table.encoder_name, self.table.encoder, self.table.dim)


def prepare_inputs(config: Config) -> Inputs:
    """Paint, unpack or find the data set, build its store for this stage's picture size, and embed its captions."""
    store = prepare_store(config)
    table, name = prepare_table(config, store), config.text.name
    notes = unread_notes(store, build_encoder(name), table.directory) if name in ENCODERS else []
    return Inputs(store, table, tuple(notes))


def prepare_store(config: Config) -> ImageStore:
    """The memory-mapped store of the configured data set. Raises UserError for anything the user can mend."""
    data, size, cache = config.data, stage_scale(config).image_size, Path(config.data.cache)
    shared: dict[str, Any] = {key: getattr(data, key) for key in ("split", "split_seed", "resample", "bad_images")}
    fit = Fit(data.fit, data.padding)  # type: ignore[arg-type]  # one of the choices: config.check has looked
    match data.name:
        case "folder":
            listed: dict[str, Any] = {"listing": data.listing, "encoding": data.encoding}
            return prepare_folder(Path(data.root or ""), cache, size, fit=fit, **listed, **shared)
        case "huggingface":
            root, notes = write_dataset(data.dataset or "", cache, data.revision)
            return prepare_folder(root, cache, size, fit=fit, name=data.name, notes=notes, **shared)
        case "flowers":
            return prepare_flowers(Path(data.root or ""), cache, size, fit=fit, encoding=data.encoding, **shared)
        case "emoji":
            return prepare_emoji(cache, size, side=data.picture_size, **shared)
    own: dict[str, Any] = {"name": data.name, "test_classes": data.test_classes, "encoding": data.encoding}
    captions = cast(CaptionRule, data.captions)
    return prepare_cub(cub_root(config), cache, size, captions=captions, **own, **shared)


def cub_root(config: Config) -> Path:
    """The folder in CUB's layout: given, painted, unpacked or downloaded."""
    data, cache = config.data, Path(config.data.cache)
    if data.name == "birds":
        request = f"v{PAINTER_VERSION}-{data.classes}x{data.images_per_class}-{data.picture_size}px-seed{data.seed}"
        return paint_birds(
            cache / "birds" / request,
            classes=data.classes,
            images_per_class=data.images_per_class,
            size=data.picture_size,
            seed=data.seed,
        )
    if data.root:
        return Path(data.root)
    archive = Path(data.archive) if data.archive else download_cub(cache / "downloads")
    unpacked = unpack_cub(archive, cache)
    if not is_official(unpacked):
        say(f"note: {archive} is not the official CUB_200_2011.tgz (its checksum is another); it is read as it is.")
    return unpacked


def prepare_table(config: Config, store: ImageStore) -> EmbeddingTable:
    """The vectors of the store's captions by the configured encoder."""
    cache = Path(config.data.cache)
    match config.text.name:
        case "attributes":
            return attribute_table(store)
        case "precomputed":
            return precomputed_table(store, Path(config.text.embeddings or ""), cache)
        case _:
            name = config.text.name
            return embed_store(store, build_encoder(name), cache, faster=fast_encoder(name))


def describe(inputs: Inputs) -> str:
    """What was found, for a person: counts by split, sizes, fall-backs, and where it lies."""
    store, table = inputs.store, inputs.table
    found = len(set(store.class_ids.tolist()) - {-1})
    size = f"{len(store):,} pictures at {store.size} px, {found} classes, {len(table.vectors):,} caption vectors"
    lines = [f"{store.source}: {size}"]
    for split in SPLITS:
        rows = store.indices(split)
        classes = len(set(store.class_ids[rows].tolist()) - {-1})
        lines.append(f"  {split}: {len(rows):,} pictures" + (f" of {classes} classes" if classes else ""))
    lines += [f"  note: {note}" for note in inputs.notes]
    lines += [f"  text: {table.encoder_name}, {table.dim} numbers a caption", f"  store: {store.directory}"]
    return "\n".join(lines)
