"""Which lists a folder has, and their reading."""

from pathlib import Path

from stackgan.data.image_index import ImageIndex
from stackgan.data.listings.beside import has_text_beside, read_beside
from stackgan.data.listings.flickr import is_token_list, read_token_list
from stackgan.data.listings.json_files import read_json, read_jsonl
from stackgan.data.listings.rows import SPLIT_NAMES, Listing
from stackgan.data.listings.tables import read_table
from stackgan.errors import UserError

NAMES = (
    "captions.csv", "captions.tsv", "captions.jsonl", "captions.json", "captions.txt", "metadata.csv", "metadata.jsonl", "results.csv",
    "Flickr8k.token.txt", "Flickr8k_text/Flickr8k.token.txt", "results_20130124.token", "dataset.json", "dataset_coco.json",
    "dataset_flickr8k.json", "dataset_flickr30k.json",
)  # fmt: skip
LIST_SUFFIXES = (".csv", ".tsv", ".jsonl", ".json")
SEVERAL = ("annotations/captions_*.json", "captions_*.json", "*/metadata.csv", "*/metadata.jsonl")  # one for each split


def find_lists(root: Path, given: str | None = None) -> list[Path]:
    """The lists of a folder: the given one, one of a known name, COCO's, or one for each split; none where texts lie beside the images.

    Raises:
        UserError: the folder has no captions, or several lists of which none was chosen.
    """
    if given is not None:
        path = root / given
        if not path.is_file() or not path.is_relative_to(root) or ".." in Path(given).parts:
            raise UserError(
                f"data.listing={given} is no file inside data.root={root}; give a list of captions that lies there."
            )
        return [path]
    if not root.is_dir():
        raise UserError(
            f"data.root: {root} {'is no folder' if root.exists() else 'does not exist'}; give a folder of images."
        )
    known = {name.lower() for name in NAMES}
    near = [*root.iterdir(), *root.glob("Flickr8k_text/*")]
    found = sorted(path for path in near if path.relative_to(root).as_posix().lower() in known and path.is_file())
    if len(found) > 1:
        names = ", ".join(path.relative_to(root).as_posix() for path in found)
        raise UserError(f"data.root: {root} holds {names}; keep one of them, or choose it with data.listing=<name>.")
    several = [path for pattern in SEVERAL for path in sorted(root.glob(pattern))]
    several = [path for path in several if path.suffix == ".json" or path.parent.name.lower() in SPLIT_NAMES]
    if found and several:
        names = ", ".join(path.relative_to(root).as_posix() for path in (*found, *several))
        raise UserError(
            f"data.root: {root} holds {names}; keep those that belong together, or choose one with data.listing=<name>."
        )
    if found or several:
        return found or several
    index = ImageIndex(root)
    if not has_text_beside(index):
        has = (
            f"has {len(index.names)} images and no captions"
            if index.names
            else "has no images and no captions.csv or captions.jsonl"
        )
        others = [
            path
            for pattern in ("*", "*/*")
            for path in sorted(root.glob(pattern))
            if path.suffix.lower() in LIST_SUFFIXES
        ]
        given = f" data.listing={others[0].relative_to(root)} reads that file, for example;" if others else ""
        raise UserError(
            f"data.root: {root} {has};{given} write captions.csv with one row `file,caption` for each image and caption, or a .txt beside "
            "each image (docs/data.md lists what else is read)."
        )
    return []


def read_lists(root: Path, given: str | None, encoding: str | None, index: ImageIndex) -> tuple[Listing, str]:
    """All rows, with the places of several lists by their names; and what the lists are called in messages.

    Raises:
        UserError: as `find_lists` and the readers do.
    """
    paths, whole = find_lists(root, given), Listing()
    if not paths:
        return read_beside(index, encoding), str(root)
    for path in paths:
        name = path.relative_to(root).as_posix()
        split = SPLIT_NAMES.get(path.parent.name.lower(), "") if path.parent != root else ""
        folder = (
            f"{path.parent.relative_to(root).as_posix()}/" if split else ""
        )  # a split's own list, as Hugging Face's imagefolder has it
        whole.join(read_list(path, encoding), folder, split, f"{name} " if len(paths) > 1 else "")
    if has_text_beside(index):
        names = ", ".join(path.name for path in paths[:2])
        whole.notes.append(f"Text files beside the images are not read: {names} says the captions.")
    return whole, str(paths[0] if len(paths) == 1 else root)


def read_list(path: Path, encoding: str | None = None) -> Listing:
    """One list, read by what its name and its first line say. Raises UserError where it is none."""
    if path.suffix.lower() == ".jsonl":
        return read_jsonl(path, encoding)
    if path.suffix.lower() == ".json":
        return read_json(path, encoding)
    if path.suffix.lower() in (".txt", ".token") and is_token_list(path, encoding):
        return read_token_list(path, encoding)
    return read_table(path, encoding)
