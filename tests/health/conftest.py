"""A store of painted birds at 64 pixels, and the probe of it."""

import pytest

from stackgan.health.probe import Probe
from stackgan.inputs import prepare_inputs
from support import TINY, composed


@pytest.fixture(scope="session")
def birds(cache):
    """Inputs of birds at 64 pixels: 40 classes, so that some are for validation."""
    sizes = ["scale.one.image_size=64", "scale.two.image_size=128", "data.picture_size=128", "data.images_per_class=4"]
    return prepare_inputs(composed(*TINY, f"data.cache={cache}", "outputs=unused", *sizes))


@pytest.fixture(scope="session")
def probe(birds):
    return Probe(birds.store, birds.table, captions=12, noises=4)
