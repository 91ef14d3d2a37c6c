"""The textbook StackGAN step and loader, written plainly: what `make bench` measures ours against.

hanzhanggit/StackGAN-Pytorch (code/model.py, code/miscc/utils.py, code/trainer.py) as one writes it after reading: float32, NCHW, eager,
nearest-neighbour upsampling and then a 3x3 convolution, a discriminator pass for each kind of pair, no care for which gradients are
needed, torch's plain Adam, the losses read by the host at each step, and a loader that opens each picture. Two things are as in ours,
so that both compute the same function (tests/test_bench.py): losses from logits, and a frozen Stage I in eval mode.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import Dataset

from stackgan.data.crop import reference_crop
from stackgan.data.records import Record


class Generated(NamedTuple):
    """images [B, 3, H, H] in -1..1; mean and log_variance [B, C] of the condition."""

    images: Tensor
    mean: Tensor
    log_variance: Tensor


class PlainBatch(NamedTuple):
    """What a step reads: images [B, 3, H, H] in -1..1, text and wrong_text [B, T], noise [B, n]: all that its generators draw."""

    images: Tensor
    text: Tensor
    wrong_text: Tensor
    noise: Tensor


class Losses(NamedTuple):
    """Each []."""

    discriminator: Tensor
    generator: Tensor
    kl: Tensor


def conv3x3(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)


def up_block(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"),
        conv3x3(in_channels, out_channels),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


def down_block(in_channels: int, out_channels: int, activation: nn.Module) -> nn.Sequential:
    convolution = nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels), activation)


class Conditioning(nn.Module):
    """Conditioning Augmentation with the reference's ReLU."""

    def __init__(self, text_dim: int, condition_dim: int) -> None:
        super().__init__()
        self.fc = nn.Linear(text_dim, 2 * condition_dim)

    def forward(self, text: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = F.relu(self.fc(text)).chunk(2, dim=1)
        return mean + torch.exp(0.5 * log_variance) * noise, mean, log_variance


class StageOne(nn.Module):
    """Stage I generator; its noise is z and the condition's."""

    def __init__(
        self, gf: int = 128, text_dim: int = 1024, condition_dim: int = 128, noise_dim: int = 100, size: int = 64
    ) -> None:
        super().__init__()
        self.noise_sizes = [noise_dim, condition_dim]
        self.conditioning = Conditioning(text_dim, condition_dim)
        self.fc = nn.Linear(noise_dim + condition_dim, 8 * gf * 4 * 4, bias=False)
        self.fc_norm = nn.BatchNorm1d(8 * gf * 4 * 4)
        blocks = [up_block(8 * gf >> i, 8 * gf >> (i + 1)) for i in range(size.bit_length() - 3)]
        self.up = nn.Sequential(*blocks)
        self.rgb = conv3x3(8 * gf >> len(blocks), 3)

    def forward(self, text: Tensor, noise: Tensor) -> Generated:
        z, condition_noise = noise.split(self.noise_sizes, dim=1)
        c, mean, log_variance = self.conditioning(text, condition_noise)
        h = F.relu(self.fc_norm(self.fc(torch.cat([z, c], dim=1))))
        h = h.view(len(text), -1, 4, 4)
        return Generated(torch.tanh(self.rgb(self.up(h))), mean, log_variance)


class Residual(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            conv3x3(channels, channels),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            conv3x3(channels, channels),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.block(x))


class StageTwo(nn.Module):
    """Stage II generator with its Stage I inside; its noise is Stage I's and that of its own condition."""

    def __init__(
        self,
        stage_one: StageOne,
        gf: int = 128,
        text_dim: int = 1024,
        condition_dim: int = 128,
        residuals: int = 4,
        doublings: int = 4,
    ) -> None:
        super().__init__()
        self.stage_one = stage_one.eval().requires_grad_(False)
        self.noise_sizes = [*stage_one.noise_sizes, condition_dim]
        self.conditioning = Conditioning(text_dim, condition_dim)
        width = 4 * gf
        self.encode = nn.Sequential(
            conv3x3(3, gf), nn.ReLU(), down_block(gf, 2 * gf, nn.ReLU()), down_block(2 * gf, width, nn.ReLU())
        )
        self.joint = nn.Sequential(conv3x3(width + condition_dim, width), nn.BatchNorm2d(width), nn.ReLU())
        self.residuals = nn.Sequential(*[Residual(width) for _ in range(residuals)])
        self.up = nn.Sequential(*[up_block(width >> i, width >> (i + 1)) for i in range(doublings)])
        self.rgb = conv3x3(width >> doublings, 3)

    def forward(self, text: Tensor, noise: Tensor) -> Generated:
        *below, own = noise.split(self.noise_sizes, dim=1)
        small = self.stage_one(text, torch.cat(below, dim=1)).images.detach()
        c, mean, log_variance = self.conditioning(text, own)
        h = self.encode(small)
        h = torch.cat([h, c[:, :, None, None].repeat(1, 1, *h.shape[2:])], dim=1)
        h = self.up(self.residuals(self.joint(h)))
        return Generated(torch.tanh(self.rgb(h)), mean, log_variance)

    def train(self, mode: bool = True) -> "StageTwo":
        super().train(mode)
        self.stage_one.eval()
        return self


class Discriminator(nn.Module):
    """Of both stages; `unconditional` adds the second head (Stage II)."""

    def __init__(self, size: int = 64, df: int = 64, condition_dim: int = 128, unconditional: bool = False) -> None:
        super().__init__()
        halvings = size.bit_length() - 3
        blocks: list[nn.Module] = [nn.Conv2d(3, df, 4, stride=2, padding=1, bias=False), nn.LeakyReLU(0.2)]
        blocks += [down_block(df << i, df << (i + 1), nn.LeakyReLU(0.2)) for i in range(halvings - 1)]
        width = df << (halvings - 1)
        while width > 8 * df:
            blocks.append(nn.Sequential(conv3x3(width, width // 2), nn.BatchNorm2d(width // 2), nn.LeakyReLU(0.2)))
            width //= 2
        self.trunk = nn.Sequential(*blocks)
        self.joint = nn.Sequential(conv3x3(width + condition_dim, width), nn.BatchNorm2d(width), nn.LeakyReLU(0.2))
        self.conditional = nn.Conv2d(width, 1, 4, stride=4)
        self.unconditional = nn.Conv2d(width, 1, 4, stride=4) if unconditional else None

    def forward(self, images: Tensor, mean: Tensor) -> list[Tensor]:
        """The logits of the pair [B], and those of the picture alone where there is such a head."""
        features = self.trunk(images)
        joint = self.joint(torch.cat([features, mean[:, :, None, None].repeat(1, 1, 4, 4)], dim=1))
        logits = [self.conditional(joint).view(-1)]
        if self.unconditional is not None:
            logits.append(self.unconditional(features).view(-1))
        return logits


def cost(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


class PlainStep:
    """One step of the discriminator and one of the generator."""

    def __init__(self, generator: StageOne | StageTwo, discriminator: Discriminator, lr: float = 2e-4) -> None:
        self.generator, self.discriminator = generator.train(), discriminator.train()
        learning = [p for p in generator.parameters() if p.requires_grad]
        self.generator_optimizer = torch.optim.Adam(learning, lr, (0.5, 0.999), foreach=False, fused=False)
        self.discriminator_optimizer = torch.optim.Adam(
            discriminator.parameters(), lr, (0.5, 0.999), foreach=False, fused=False
        )

    def __call__(self, batch: PlainBatch) -> list[float]:
        """Take the step; the losses as numbers, as one prints them."""
        return [loss.item() for loss in self.train(batch)]

    def train(self, batch: PlainBatch) -> Losses:
        fake = self.generator(batch.text, batch.noise)
        discriminator = self.discriminator_loss(batch, fake)
        self.discriminator_optimizer.zero_grad()
        discriminator.backward()
        self.discriminator_optimizer.step()

        adversarial, kl = self.generator_losses(fake)
        self.generator_optimizer.zero_grad()
        (adversarial + 2.0 * kl).backward()
        self.generator_optimizer.step()
        return Losses(discriminator, adversarial, kl)

    def discriminator_loss(self, batch: PlainBatch, fake: Generated) -> Tensor:
        mean = fake.mean.detach()
        wrong_mean = self.generator.conditioning(batch.wrong_text, torch.zeros_like(mean))[1].detach()
        real = [cost(logits, 1.0) for logits in self.discriminator(batch.images, mean)]
        wrong = cost(self.discriminator(batch.images, wrong_mean)[0], 0.0)
        fakes = [cost(logits, 0.0) for logits in self.discriminator(fake.images.detach(), mean)]
        if len(real) == 1:
            return real[0] + (wrong + fakes[0]) * 0.5
        return (real[0] + real[1]) / 2.0 + (fakes[0] + wrong + fakes[1]) / 3.0

    def generator_losses(self, fake: Generated) -> tuple[Tensor, Tensor]:
        adversarial = sum(
            (cost(x, 1.0) for x in self.discriminator(fake.images, fake.mean.detach())), torch.zeros(()).to(fake.mean)
        )
        kl = torch.mean(-0.5 * (1 + fake.log_variance - fake.mean.pow(2) - fake.log_variance.exp()))
        return adversarial, kl


@dataclass
class PictureFiles(Dataset[tuple[Tensor, Tensor]]):
    """Opens, crops, resizes and normalises one picture at a time (StackGAN-Pytorch code/miscc/datasets.py).

    records: the pictures; vectors float32 [N, n, T]: the embeddings of each one's captions; size: H.
    """

    records: Sequence[Record]
    vectors: np.ndarray
    size: int

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        record = self.records[index]
        picture = Image.open(record.path).convert("RGB")
        side = self.size * 76 // 64
        picture = picture.crop(reference_crop(picture.size, record.box)).resize((side, side), Image.Resampling.BILINEAR)
        left, upper = np.random.randint(0, side - self.size + 1, 2)
        picture = picture.crop((left, upper, left + self.size, upper + self.size))
        if np.random.rand() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        image = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float().div(255)
        caption = np.random.randint(len(self.vectors[index]))
        return (image - 0.5) / 0.5, torch.from_numpy(np.array(self.vectors[index][caption]))
