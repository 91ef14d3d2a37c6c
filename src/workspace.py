"""Make a W&B workspace for the runs of a project: scores by variant, discriminator, gradient norms, health, pictures.

python src/workspace.py entity=<user or team> project=stackgan
python src/workspace.py entity=<user or team> project=stackgan study=six_variants
"""

from stackgan.cli.start import start  # isort: skip  (first: Ctrl-C is one line from here on)

import hydra
from omegaconf import DictConfig

from stackgan.cli.requests import WORKSPACE, WorkspaceRequest, request_of
from stackgan.cli.run import user_errors


@hydra.main(version_base="1.3", config_path="../conf", config_name="workspace")
def main(composed: DictConfig) -> None:
    with user_errors():
        asked = request_of(composed, WorkspaceRequest)
        from stackgan.reporting.workspace import build_workspace, save_workspace

        workspace = build_workspace(str(asked.entity), asked.project, asked.study, asked.metric)
        print(f"workspace: {save_workspace(workspace)}")


if __name__ == "__main__":
    start(main, WORKSPACE, __doc__)
