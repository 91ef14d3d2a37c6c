"""Draw pictures for captions with a finished run.

python src/generate.py run=<run folder> caption='a small red bird with black wings' count=8
python src/generate.py run=<run folder> captions=<text file, one a line> count=4 seed=1 truncation=0.8
"""

from stackgan.cli.start import start  # isort: skip  (first: Ctrl-C is one line from here on)

from pathlib import Path

import hydra
from omegaconf import DictConfig

from stackgan.cli.requests import GENERATE, GenerateRequest, request_of
from stackgan.cli.run import user_errors
from stackgan.data.text_files import lines_of, read_text
from stackgan.errors import UserError
from stackgan.run_lookup import find_generator

TABLES = (".csv", ".tsv", ".json", ".jsonl")


def read_captions(caption: str | None, file: str | None) -> list[str]:
    """The captions given on the command line or in a file."""
    if file is None:
        return [caption or ""]
    if Path(file).suffix.lower() in TABLES:
        raise UserError(f"captions={file} is a table; give a text file with one caption a line.")
    return lines_of(read_text(Path(file), key=""))


@hydra.main(version_base="1.3", config_path="../conf", config_name="generate")
def main(composed: DictConfig) -> None:
    with user_errors():
        asked = request_of(composed, GenerateRequest)
        run = find_generator(str(asked.run), asked.outputs)
        captions = read_captions(asked.caption, asked.captions)
        from stackgan.process import find_device  # imports torch: only once the request is known to be good
        from stackgan.reporting.generate import generate

        out = Path(asked.out) if asked.out else None
        made = generate(run, captions, asked.count, asked.seed, asked.truncation, out, find_device(asked.device))
        print("\n".join(f"grid:     {grid}" for grid in made.grids))
        print(f"manifest: {made.manifest}\npictures: {made.folder}")


if __name__ == "__main__":
    start(main, GENERATE, __doc__)
