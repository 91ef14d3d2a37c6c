"""A fresh clone in a user's environment, and documented commands typed in it with small sizes behind them."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from stackgan.config import PROJECT

TRACKED = ("src", "conf", "sweeps", "bench", "requirements", "Makefile", "pyproject.toml", "README.md")
CUB10 = PROJECT.parent / "shared" / "data" / "cub10"
CAPTIONS = "a small red bird with black wings\na grey bird\n"

# What is appended, by script: sizes, a free port for the page, and what leaves out attribute_accuracy, whose classifier learns for minutes
# (tests/evaluation/test_attribute_accuracy.py): other scores, and the one training of bench/quality.py.
TRAINING = ["scale=tiny", "data.classes=10", "data.images_per_class=6", "images=32"]
SCORES = ["evaluation.samples=20", "evaluation.final_samples=20"]
SIZES = {
    "src/train.py": [*TRAINING, *SCORES],
    "src/prepare_data.py": TRAINING[:3],
    "src/evaluate.py": [
        "samples=20",
        "'metrics=[is,fid,kid,precision,recall,nearest_train,r_precision,lpips_diversity]'",
    ],
    "src/fit_classifier.py": ["images=8", "batch_size=4", "image_size=96"],
    "src/generate.py": ["count=12"],
    "src/demo.py": ["port=0", "count=1"],
    "src/report.py": [],
    "src/table.py": [],
    "bench/own_data.py": ["--count", "3"],
    "bench/run.py": ["--quick", "--only", "loader"],
    "bench/evaluation.py": ["--samples", "100", "--pictures", "20"],
    "bench/memory.py": ["--batch", "2"],
    "bench/quality.py": ["--train", "fast", "--images", "32", "variant=recipe", *TRAINING[:3], *SCORES],
    "bench/calibrate_health.py": ["lr_x10", "images=64"],
    "bench/torture.py": ["--kills", "1", "--images", "64", *TRAINING[:3]],
}
LARGE = {
    "scale.one.images": 32,
    "scale.two.images": 32,
    "hydra.sweeper.n_trials": 2,
}  # the same keys with them, where they are printed

# What has to be there before; a Stage II needs its Stage I besides.
BEFORE = {
    "outputs/six_variants": "python src/train.py sweep=six_variants",
    "make table": "python src/train.py sweep=six_variants",
    "outputs/runs": "python src/train.py",
    "run=latest": "python src/train.py",
}


class Clone:
    """A working folder with the tracked files, where commands are typed as a user types them (conftest.py: who has set nothing).

    PYTHONPATH stands for `pip install -e .`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "stackgan"
        self.folder.mkdir()
        for name in TRACKED:
            copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
            copy(PROJECT / name, self.folder / name)
        (self.folder / "captions.txt").write_text(CAPTIONS)
        (self.folder / ".venv").symlink_to(sys.prefix)
        self.environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.folder / "src"),
        }
        self._printed: dict[str, str] = {}

    def type(self, command: str) -> str:
        """What a documented command prints, run after all that it builds on; each is run once. Fails where it fails."""
        if command not in self._printed:
            for text, earlier in BEFORE.items():
                if text in command:
                    self.type(earlier)
            if command.startswith("python src/train.py") and " stage=two" in command and "sweep=" not in command:
                self.type(command.replace(" stage=two", ""))
            self._printed[command] = self.again(command)
        return self._printed[command]

    def again(self, command: str) -> str:
        """What it prints when it is typed once more."""
        return self._run(self.sized(self.filled(command)))

    def filled(self, command: str) -> str:
        """With real things in place of <placeholders>."""
        for placeholder in re.findall(r"<[A-Za-z][^<>]*>", command):
            assert placeholder in FILLINGS, f"{command}: no filling for {placeholder}"
            command = command.replace(placeholder, FILLINGS[placeholder](self))
        return command

    def sized(self, command: str) -> str:
        """With small sizes behind it, or behind each command of a shell script."""
        if command.startswith("make "):
            return self._sized_make(command)
        return re.sub(
            r"^python (\S+).*?(?= &$|$)",
            lambda line: line[0] + self._sizes(line[1], line[0]),
            command,
            flags=re.MULTILINE,
        )

    def _sized_make(self, command: str) -> str:
        """make, with the environment taken as set up, hands ARGS on to what it runs."""
        words = shlex.split(command)
        target, given = words[1], "".join(word.removeprefix("ARGS=") for word in words[2:])
        listed = subprocess.run(
            ["make", "-n", "-o", ".venv/ready", target], cwd=self.folder, capture_output=True, text=True, check=True
        )
        script = re.search(r"(?:src|bench)/\w+\.py", listed.stdout)
        sizes = self._sizes(script[0], given) if script else ""
        return f"make -o .venv/ready {target} ARGS={shlex.quote(given + sizes)}"

    def _sizes(self, script: str, given: str) -> str:
        assert script in SIZES, f"{given}: no sizes for {script}; add them, or mark the command with what it needs"
        large = [f"{key}={value}" for key, value in LARGE.items() if f"{key}=" in given]
        painted = not re.search(
            r"\bdata=(?:cub|folder|emoji|flowers|huggingface)\b", given
        )  # whose number of pictures can be chosen
        sizes = [size for size in SIZES[script] if painted or not size.startswith("data.")]
        return "".join(f" {size}" for size in [*sizes, *large])

    def _run(self, command: str) -> str:
        if "demo" in command:
            return self._visit(command)
        result = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1800,
        )  # fmt: skip
        assert result.returncode == 0, f"{command}\nexit code {result.returncode}\n{result.stdout[-6000:]}"
        return result.stdout

    def _visit(self, command: str) -> str:
        """A server: look at its page, then Ctrl-C."""
        server = subprocess.Popen(
            ["bash", "-c", command], cwd=self.folder, env=self.environment, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert server.stdout is not None
        lines = []
        for line in server.stdout:
            lines.append(line)
            if address := re.match(r"page: (\S+)", line):
                with urllib.request.urlopen(address[1], timeout=60) as page:
                    assert page.status == 200
                os.killpg(server.pid, signal.SIGINT)
        printed = "".join(lines)
        ended = server.wait(60) == 0 or command.startswith("make ")  # make calls an interrupted recipe an error
        assert ended and "ended" in printed, f"{command}\nexit code {server.returncode}\n{printed}"
        return printed

    def _run_folder(self, command: str) -> str:
        """Also where another command has trained it."""
        return re.findall(r"^(?:run|already done .*): +(\S+)$", self.type(command), flags=re.MULTILINE)[-1]

    def _pictures(self) -> str:
        """A folder of pictures made by generate.py."""
        printed = self.type("python src/generate.py run=<run folder> captions=captions.txt count=4 truncation=0.8")
        return re.findall(r"^pictures: +(.+)$", printed, flags=re.MULTILINE)[-1]

    def _captioned_pictures(self) -> str:
        folder = self.folder / "pictures"
        folder.mkdir(exist_ok=True)
        rows = ["file,caption"]
        for number in range(80):
            Image.new("RGB", (48, 48), (3 * number, 128, 0)).save(folder / f"{number}.png")
            rows.append(f"{number}.png,a square of colour {number}")
        (folder / "captions.csv").write_text("\n".join(rows) + "\n")
        return str(folder)


def _photographs(clone: Clone) -> str:
    if not CUB10.is_dir():
        pytest.skip("../shared/data/cub10 (ten classes of CUB) is not here")
    return str(CUB10)


FILLINGS: dict[str, Callable[[Clone], str]] = {
    "<run folder>": lambda clone: clone._run_folder("python src/train.py"),
    "<run folder of the recipe>": lambda clone: clone._run_folder("python src/train.py variant=recipe"),
    "<run folder on CUB>": lambda clone: clone._run_folder("python src/train.py data=cub data.root=<CUB folder>"),
    "<folder of runs>": lambda clone: str(Path(clone._run_folder("python src/train.py")).parent),
    "<folder of pictures>": Clone._pictures,
    "<pictures + captions.csv>": Clone._captioned_pictures,
    "<new folder>": lambda clone: "drawings",
    "<your folder>": Clone._captioned_pictures,
    "<run folder on your images>": lambda clone: clone._run_folder(
        "python src/train.py variant=recipe data=folder data.root=<your folder> data.fit=pad images=24000"
    ),
    "<CUB folder>": _photographs,
    "<a few classes>": _photographs,
    "<the same data= and text=>": lambda clone: "data=birds text=minilm",
    "<the same options>": lambda clone: "variant=recipe",
}
