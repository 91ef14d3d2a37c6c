"""The commands that README.md, docs/ and `make help` print."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stackgan.config import PROJECT

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
COMMAND = re.compile(r"(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(?:python|pip|make|wandb) .*")
NEEDS = re.compile(r"\bneeds (a GPU|a network|an account|SLURM|matplotlib|the official \w+|\.\[\w+\])")


@dataclass(frozen=True)
class Command:
    """A command as it is printed, without the comment behind it, and what that comment says it needs."""

    text: str
    needs: str = ""


def documented_commands() -> list[Command]:
    """Each command once; one that is marked at one place is marked at all."""
    found: dict[str, str] = {}
    for command in _printed():
        found[command.text] = found.get(command.text) or command.needs
    return [Command(text, needs) for text, needs in found.items()]


def _printed() -> Iterator[Command]:
    for page in PAGES:
        for number, part in enumerate(re.split(r"^```.*\n", page.read_text(encoding="utf-8"), flags=re.MULTILINE)):
            yield from _in_block(part) if number % 2 else _in_prose(part)
    yield from _in_make_help()


def _in_block(block: str) -> Iterator[Command]:
    """Each line is one; a shell script is one whole."""
    if block.startswith("#!"):
        yield Command(block, _needs(block))
        return
    for line in re.sub(r"\\\n\s*", "", block).splitlines():
        if COMMAND.match(line):
            text, _, comment = line.partition(" #")
            yield Command(text.strip(), _needs(comment))


def _in_prose(text: str) -> Iterator[Command]:
    """What stands between backquotes; its mark is in the rest of the sentence."""
    for paragraph in text.split("\n\n"):
        pieces = paragraph.replace("\n", " ").split("`")  # prose and code in turn
        for code, words in zip(pieces[1::2], pieces[2::2], strict=False):
            if COMMAND.match(code):
                yield Command(code, _needs(re.split(r"[.|] ", words)[0]))


def _in_make_help() -> Iterator[Command]:
    """Each target alone, and with its example of ARGS; one whose example names a run cannot do without."""
    targets = re.findall(r"^([a-z-]+):.*## (.*)", (PROJECT / "Makefile").read_text(), flags=re.MULTILINE)
    for target, words in targets:
        example = re.search("ARGS='.*'", words)
        if not (example and "<" in example[0]):
            yield Command(f"make {target}")
        if example:
            yield Command(f"make {target} {example[0]}")


def _needs(words: str) -> str:
    found = NEEDS.search(words)
    return found[1] if found else ""
