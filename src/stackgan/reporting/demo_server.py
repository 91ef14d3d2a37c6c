"""A page to type captions into: a small web server of the standard library around one generator.

    GET /                  the page, one file that loads nothing from elsewhere
    GET /about             JSON: what the generator is, and the page's limits
    GET /pictures?...      JSON: for each caption its PNGs, and remarks about words that do not count
    GET /grid.png?...      the same pictures in one captioned grid
    GET /pictures.zip?...  what src/generate.py writes: each picture, the grid and the manifest

What cannot be drawn is answered with status 400 and {"error": sentence}, any other address with 404.
"""

import errno
import sys
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

from stackgan.errors import UserError
from stackgan.reporting.demo import Answer, Demo, json_answer

PAGE = Path(__file__).with_name("demo.html")
POLICY = (
    "default-src 'none'; connect-src 'self'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class DemoServer(ThreadingHTTPServer):
    """A thread for each browser's connection; the generator draws for one at a time."""

    daemon_threads = True  # an idle browser must not keep the program from ending

    def __init__(self, host: str, port: int, demo: Demo) -> None:
        page = Answer(PAGE.read_bytes(), "text/html; charset=utf-8")
        self.routes: dict[str, Callable[[str], Answer]] = {
            "/": lambda query: page,
            "/about": demo.about,
            "/pictures": demo.pictures,
            "/grid.png": demo.grid,
            "/pictures.zip": demo.archive,
        }
        super().__init__((host, port), _Handler)

    @property
    def address(self) -> str:
        """To type into a browser on this machine."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}/"

    def answer(self, path: str) -> Answer:
        """What a request for `path`, with its query, gets."""
        place, _, query = path.partition("?")
        route = self.routes.get(place)
        if route is None:
            return json_answer({"error": "There is nothing at this address."}, 404)
        try:
            return route(query)
        except UserError as error:
            return json_answer({"error": str(error)}, 400)
        except Exception:  # this answer fails, the server goes on
            traceback.print_exc()
            return json_answer({"error": "Drawing failed; the terminal says why."}, 500)

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that goes away while it is answered is no error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    timeout = 60  # seconds without a word
    server: DemoServer

    def do_GET(self) -> None:
        answer = self.server.answer(self.path)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        if answer.file:
            self.send_header("Content-Disposition", f"attachment; {_file_parameter(answer.file)}")
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """Captions are nobody's business but the page's."""


def _file_parameter(name: str) -> str:
    """A file's name for a header, which is Latin-1: a name in another script is escaped (RFC 6266)."""
    return f'filename="{name}"' if name.isascii() else f"filename*=UTF-8''{quote(name)}"


def open_server(demo: Demo, host: str = "127.0.0.1", port: int = 8000) -> DemoServer:
    """Listen on host and port; 0 takes any free port. Nothing is answered before `serve_forever`.

    Raises:
        UserError: the port is in use or not to be had.
    """
    if not 0 <= port <= 65535:
        raise UserError(f"port={port} must be from 0 (any free one) to 65535.")
    try:
        return DemoServer(host, port, demo)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(f"port={port} is in use; give another one, or port=0 for any free one.") from error
        raise UserError(f"host={host} port={port} cannot be listened on ({error.strerror}); give others.") from error
