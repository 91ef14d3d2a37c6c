import json
import subprocess
import sys

import pytest

from stackgan.errors import UserError
from stackgan.networks.architecture import ARCHITECTURES, Architecture, resolve_architecture


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_settings_survive_json(name):
    architecture = ARCHITECTURES[name]
    assert resolve_architecture(json.loads(json.dumps(architecture.settings()))) == architecture
    assert resolve_architecture(name) is not None and architecture.name == name


def test_a_mapping_changes_fields_of_its_preset():
    architecture = resolve_architecture({"name": "tf", "joint_kernel": 3, "log_variance_range": [-4, 2]})
    assert (architecture.joint_kernel, architecture.log_variance_range) == (3, (-4.0, 2.0))
    assert architecture.text_projection == "leaky_relu"
    assert resolve_architecture({"unconditional_head": "both"}) == Architecture(unconditional_head="both")


@pytest.mark.parametrize(
    ("arch", "words"),
    [
        ("stackgan2", "stackgan2.*stackgan, tf, pytorch"),
        ({"name": "tf", "joint_kernal": 3}, "joint_kernal"),
        ({"joint_kernel": 5}, "arch.joint_kernel.*5.*1, 3"),
        ({"stem_bias": "yes"}, "arch.stem_bias.*yes"),
        ({"log_variance_range": [4, -8]}, "log_variance_range"),
    ],
)
def test_what_is_not_known_is_named(arch, words):
    with pytest.raises(UserError, match=words):
        resolve_architecture(arch)


def test_the_names_can_be_had_without_torch():
    code = "import stackgan.networks.architecture, stackgan.losses.names, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0
