"""Does a generated bird show what its caption says? A classifier of painted birds reads the attributes from the picture.

The classifier learns from freshly painted random individuals at 64 px, seen as a store shows them (the reference crop, random
window and flip), some of them blurred or noisy. Judged are captions of individuals of unseen combinations, each on the
attributes that it mentions.
"""

import hashlib
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from stackgan.data.birds import ATTRIBUTES, PAINTER_VERSION, Individual, paint, random_individual, write_captions
from stackgan.data.crop import reference_crop
from stackgan.data.randomness import generator
from stackgan.progress import progress_bar

SIDE, STORED, PAINTED = 64, 76, 160
TRAINING_BIRDS, EPOCHS = 6_000, 12

# What a caption must contain to have said something about an attribute (the words of data/birds/captions.py).
MENTIONS: Mapping[str, str] = {
    "crown_color": r"crown|crest|\bcap\b",
    "breast_color": r"breast|bell",
    "back_color": r"\bback\b|-backed|upperparts",
    "wing_color": r"wings\b|-winged",
    "wing_pattern": r"bars|stripes|spots|dots|plain",
    "bill_shape": r"bill|beak",
    "bill_color": r"(black|orange)( [\w-]+)? (bill|beak)",
    "tail_shape": r"tail",
    "head_pattern": r"crest|\bcap\b",
}


def mentioned_attributes(caption: str) -> tuple[str, ...]:
    """The judged attributes that a painted bird's caption says something about."""
    return tuple(name for name, pattern in MENTIONS.items() if re.search(pattern, caption))


def labels(individual: Individual) -> list[int]:
    """The index of each judged attribute's value, in the order of ATTRIBUTES."""
    return [values.index(getattr(individual, name)) for name, values in ATTRIBUTES.items()]


def painted_crop(individual: Individual, rng: np.random.Generator) -> np.ndarray:
    """A painted bird as a store holds it: the reference crop at 76 px, uint8 [76, 76, 3]."""
    painting = paint(individual, rng, PAINTED)
    picture = Image.fromarray(np.asarray(painting.image))
    box = reference_crop(picture.size, painting.box)
    return np.asarray(picture.crop(box).resize((STORED, STORED), Image.Resampling.BICUBIC))


def paint_individuals(seed: int, count: int, title: str) -> tuple[list[Individual], Tensor]:
    """`count` random individuals and their pictures, uint8 [count, 3, 76, 76]; bird i is a function of (seed, i)."""
    birds, pictures = [], []
    with progress_bar(count, "bird", title) as bar:
        for index in range(count):
            rng = generator(seed, "attribute classifier", index)
            bird = random_individual(rng)
            birds.append(bird)
            pictures.append(painted_crop(bird, rng))
            bar.update()
    return birds, torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)


class AttributeClassifier(nn.Module):
    """A small convolutional network with one output a value of each judged attribute."""

    def __init__(self) -> None:
        super().__init__()
        widths = (32, 64, 128, 256)
        blocks: list[nn.Module] = [
            nn.Conv2d(3, 32, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
        ]  # [B, 32, 32, 32]
        for i, o in itertools.pairwise(widths):
            blocks += [nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2)]
        values = sum(len(v) for v in ATTRIBUTES.values())
        self.network = nn.Sequential(
            *blocks, nn.Flatten(), nn.Dropout(0.3), nn.Linear(256 * 16, values)
        )  # from [B, 256, 4, 4]

    def forward(self, images: Tensor) -> list[Tensor]:
        """uint8 [B, 3, H, H], any H: brought to 64 px -> for each attribute the logits of its values [B, values]."""
        x = images.float() / 127.5 - 1
        if x.shape[-1] != SIDE:
            x = F.interpolate(x, size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
        return list(self.network(x).split([len(v) for v in ATTRIBUTES.values()], dim=1))


def attribute_classifier(cache: Path) -> tuple[Path, AttributeClassifier]:
    """The classifier's file and the classifier, from the cache or newly trained (some minutes on two cores)."""
    source = Path(__file__).read_bytes() + str((PAINTER_VERSION, ATTRIBUTES)).encode()
    path = cache / "attribute_classifier" / f"{hashlib.sha256(source).hexdigest()[:16]}.safetensors"
    classifier = AttributeClassifier()
    if path.exists():
        classifier.load_state_dict(load_file(path))
    else:
        train_classifier(classifier)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous() for name, tensor in classifier.state_dict().items()}, path)
    return path, classifier.eval().requires_grad_(False)


def train_classifier(classifier: AttributeClassifier, birds: int = TRAINING_BIRDS, epochs: int = EPOCHS) -> None:
    """Cross entropy over all attributes, Adam with a one-cycle rate, random windows and flips."""
    individuals, pictures = paint_individuals(0, birds, "painting birds for the attribute classifier")
    targets = torch.tensor([labels(bird) for bird in individuals])
    draws = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(classifier.parameters(), 2e-3, weight_decay=0.02)
    steps = epochs * (birds // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    classifier.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.random.fork_rng(devices=[]), progress_bar(steps, "step", "training the attribute classifier") as bar:
        torch.manual_seed(0)
        for _ in range(epochs):
            for rows in torch.randperm(birds, generator=draws).split(64)[: birds // 64]:
                outputs = classifier(disturb(window(pictures[rows], draws), draws))
                loss = sum((F.cross_entropy(o, targets[rows, i]) for i, o in enumerate(outputs)), torch.zeros(()))
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.update()


def window(pictures: Tensor, draws: torch.Generator) -> Tensor:
    """One random 64 px window and flip for the whole batch."""
    y, x, flip = torch.randint(0, STORED - SIDE + 1, (3,), generator=draws).tolist()
    cut = pictures[:, :, y : y + SIDE, x : x + SIDE]
    return cut.flip(3) if flip % 2 else cut


def disturb(pictures: Tensor, draws: torch.Generator) -> Tensor:
    """Half of the pictures blurred and half with noise, uint8: a generator's are neither as sharp nor as clean as painted ones."""
    x, count = pictures.float(), len(pictures)
    blurred = F.interpolate(F.avg_pool2d(x, 2), scale_factor=2.0, mode="bilinear", align_corners=False)
    x = torch.where(torch.rand(count, 1, 1, 1, generator=draws) < 0.5, blurred, x)
    strength = 40 * torch.rand(count, 1, 1, 1, generator=draws) * (torch.rand(count, 1, 1, 1, generator=draws) < 0.5)
    return (x + strength * torch.randn(x.shape, generator=draws)).round().clamp(0, 255).to(torch.uint8)


@dataclass(frozen=True)
class AttributeAccuracy:
    """Accuracy by attribute, 0..1, over the captions that mention it; with what painted birds reach and what guessing gives."""

    generated: dict[str, float]
    painted: dict[str, float]
    chance: dict[str, float]
    captions: int

    @property
    def relative(self) -> float:
        """Mean over the attributes of (generated - chance) / (painted - chance): 0 is guessing, 1 as good as the painter."""
        shares = [(self.generated[a] - self.chance[a]) / (self.painted[a] - self.chance[a]) for a in self.generated]
        return float(np.mean(shares))


@dataclass(frozen=True)
class Exam:
    """Captions of unseen individuals, what is judged of each, and the same individuals as painted."""

    captions: list[str]
    targets: Tensor  # int64 [N, attributes]
    mentioned: Tensor  # bool [N, attributes]
    painted: Tensor  # uint8 [N, 3, 64, 64]


def make_exam(count: int, seed: int = 1) -> Exam:
    """`count` random individuals, which no classifier and (their combinations being drawn from millions) no class has shown."""
    birds, pictures = paint_individuals(seed, count, "painting birds to judge by")
    captions = [write_captions(bird, generator(seed, "exam", i), 1)[0] for i, bird in enumerate(birds)]
    mentioned = [[name in mentioned_attributes(caption) for name in ATTRIBUTES] for caption in captions]
    room = (STORED - SIDE) // 2
    centre = pictures[:, :, room : room + SIDE, room : room + SIDE]
    return Exam(captions, torch.tensor([labels(b) for b in birds]), torch.tensor(mentioned), centre)


def judge(classifier: nn.Module, exam: Exam, generated: Tensor) -> AttributeAccuracy:
    """Accuracy of generated pictures, uint8 [N, 3, H, H], one for each caption of the exam."""
    return judged(seen(classifier, generated), seen(classifier, exam.painted), exam)


@torch.inference_mode()
def seen(classifier: nn.Module, pictures: Tensor) -> Tensor:
    """The value of each judged attribute that the classifier sees: uint8 [N, 3, H, H] -> int64 [N, attributes]."""
    return torch.cat(
        [torch.stack([values.argmax(1) for values in classifier(part)], dim=1) for part in pictures.split(256)]
    )


def judged(found: Tensor, painted: Tensor, exam: Exam) -> AttributeAccuracy:
    """Accuracy of what was seen in generated and in painted pictures, int64 [N, attributes] each."""
    chance = {name: 1 / len(values) for name, values in ATTRIBUTES.items()}
    return AttributeAccuracy(_shares(found, exam), _shares(painted, exam), chance, len(found))


def _shares(found: Tensor, exam: Exam) -> dict[str, float]:
    right = (found == exam.targets) & exam.mentioned
    shares = right.sum(0) / exam.mentioned.sum(0).clamp(min=1)
    return dict(zip(ATTRIBUTES, shares.tolist(), strict=True))
