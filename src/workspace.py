"""Make a W&B workspace for the runs of a project: scores by variant, discriminator, gradient norms, health, pictures.

python src/workspace.py entity=<user or team> project=stackgan
python src/workspace.py entity=<user or team> project=stackgan study=six_variants
"""

import hydra
from omegaconf import DictConfig

from stackgan.command_line import run_script, user_errors
from stackgan.errors import UserError


@hydra.main(version_base="1.3", config_path="../conf", config_name="workspace")
def main(config: DictConfig) -> None:
    with user_errors():
        if config.entity is None:
            raise UserError("no entity: give entity=<your W&B user or team>.")
        from stackgan.reporting.workspace import build_workspace, save_workspace

        workspace = build_workspace(config.entity, config.project, config.study, config.metric)
        print(f"workspace: {save_workspace(workspace)}")


if __name__ == "__main__":
    run_script(main, "workspace", __doc__, literal=("entity", "project", "study"))
