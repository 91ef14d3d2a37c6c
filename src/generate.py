"""Draw pictures for captions with a finished run.

python src/generate.py run=<run folder> caption='a small red bird with black wings' count=8
python src/generate.py run=<run folder> captions=<text file, one a line> count=4 seed=1 truncation=0.8
"""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from stackgan.command_line import run_script, user_errors
from stackgan.errors import UserError


def read_captions(caption: str | None, file: str | None) -> list[str]:
    """The captions given on the command line or in a file."""
    if caption is not None and file is not None:
        raise UserError("caption and captions both say what to draw; give one of them.")
    if file is None:
        return [caption or ""]
    try:
        return Path(file).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"captions={file} cannot be read as text: {error}") from error


@hydra.main(version_base="1.3", config_path="../conf", config_name="generate")
def main(config: DictConfig) -> None:
    with user_errors():
        if config.run is None:
            raise UserError("no run: give run=<folder of a finished run>.")
        captions = read_captions(config.caption, config.captions)
        import torch  # only once the request is known to be good

        from stackgan.reporting.generate import generate

        device = ("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
        out = Path(config.out) if config.out else None
        made = generate(Path(config.run), captions, config.count, config.seed, config.truncation, out, device)
        print("\n".join(f"grid:     {grid}" for grid in made.grids))
        print(f"manifest: {made.manifest}\npictures: {made.folder}")


if __name__ == "__main__":
    run_script(main, "generate", __doc__, literal=("run", "caption", "captions", "out"))
