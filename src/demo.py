"""A page to type captions into, drawn by a finished run; Ctrl-C ends it.

python src/demo.py run=<run folder>
python src/demo.py run=<run folder> port=0                       any free port
python src/demo.py run=<run folder> host=0.0.0.0 port=8080       for other machines too
"""

import os
from contextlib import suppress
from pathlib import Path

import hydra
from omegaconf import DictConfig

from stackgan.command_line import run_script, user_errors
from stackgan.errors import UserError


@hydra.main(version_base="1.3", config_path="../conf", config_name="demo")
def main(config: DictConfig) -> None:
    with user_errors():
        if config.run is None:
            raise UserError("no run: give run=<folder of a finished run>.")
        import torch  # only once the request is known to be good

        from stackgan.reporting.demo import Demo
        from stackgan.reporting.demo_server import open_server

        device = ("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
        demo = Demo(Path(config.run), device, config.count)
        with open_server(demo, config.host, config.port) as server, suppress(KeyboardInterrupt):
            print(f"page: {server.address} (Ctrl-C ends it)", flush=True)
            server.serve_forever()
        demo.close()
        print("ended", flush=True)
        os._exit(0)  # the thread of an open connection, killed inside torch, would abort the interpreter on its way out


if __name__ == "__main__":
    run_script(main, "demo", __doc__, literal=("run",))
