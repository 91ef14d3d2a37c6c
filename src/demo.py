"""A page to type captions into, drawn by a finished run; Ctrl-C ends it.

python src/demo.py run=<run folder>
python src/demo.py run=<run folder> port=0                       any free port
python src/demo.py run=<run folder> host=0.0.0.0 port=8080       for other machines too
"""

from stackgan.cli.start import start  # isort: skip  (first: Ctrl-C is one line from here on)

import os
from contextlib import suppress

import hydra
from omegaconf import DictConfig

from stackgan.cli.requests import DEMO, DemoRequest, request_of
from stackgan.cli.run import user_errors
from stackgan.run_lookup import find_generator


@hydra.main(version_base="1.3", config_path="../conf", config_name="demo")
def main(composed: DictConfig) -> None:
    with user_errors():
        asked = request_of(composed, DemoRequest)
        run = find_generator(str(asked.run), asked.outputs)
        from stackgan.process import find_device  # imports torch: only once the request is known to be good
        from stackgan.reporting.demo import Demo
        from stackgan.reporting.demo_server import open_server

        demo = Demo(run, find_device(asked.device), asked.count)
        with open_server(demo, asked.host, asked.port) as server, suppress(KeyboardInterrupt):
            print(f"page: {server.address} (Ctrl-C ends it)", flush=True)
            server.serve_forever()
        demo.close()
        print("ended", flush=True)
        os._exit(0)  # the thread of an open connection, killed inside torch, would abort the interpreter on its way out


if __name__ == "__main__":
    start(main, DEMO, __doc__)
