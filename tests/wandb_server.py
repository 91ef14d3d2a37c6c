"""A stand-in for W&B's server on this machine: takes runs, their rows, files and workspaces, or fails as a real one does.

Whatever else comes (telemetry) is answered and forgotten.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USER = {"id": "1", "username": "me", "entity": "me", "email": "", "flags": "{}", "teams": {"edges": []}}
DELETED = "run {} was previously created and deleted; try a new run name"
LONGEST_HANG = 60.0  # seconds


class WandbServer(ThreadingHTTPServer):
    """What was sent, and how requests are answered.

    Attributes:
        fails: None | hang | a status such as 401, for every request.
        rows_fail: a status for rows alone.
        deleted: ids that are answered by 409.
        runs: what was said of each run when it began, by its id.
        rows, summaries: of each run.
        files: what was uploaded.
        views: workspaces.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.fails: str | int | None = None
        self.rows_fail: int | None = None
        self.deleted: set[str] = set()
        self.runs: dict[str, dict[str, Any]] = {}
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.summaries: dict[str, dict[str, Any]] = {}
        self.exit_codes: dict[str, int] = {}
        self.files: list[str] = []
        self.views: list[dict[str, Any]] = []
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def environment(self) -> dict[str, str]:
        """What a user of this server sets."""
        return {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": self.url}

    def stop(self) -> None:
        """Go away: connections are refused from now on."""
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WandbServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.fails == "hang":
            self.server.closing.wait(LONGEST_HANG)
            self.close_connection = True
        elif self.server.fails is not None:
            self.answer({"errors": [{"message": "no"}]}, int(self.server.fails))
        elif self.path.endswith("/file_stream"):
            self.take_rows(self.path.split("/")[-2], json.loads(body))
        elif self.path == "/graphql":
            request = json.loads(body)
            name = re.search(r"(?:query|mutation)\s+(\w+)", request["query"])
            self.take_query(name[1] if name else "", request["query"], request.get("variables") or {})
        else:
            self.answer({})

    do_GET = do_PUT = do_POST

    def take_query(self, name: str, query: str, values: dict[str, Any]) -> None:
        data: dict[str, Any] = {"viewer": USER}
        if name == "UpsertBucket":
            run = values["name"]
            if run in self.server.deleted:
                return self.answer({"errors": [{"message": DELETED.format(run)}]}, 409)
            known = self.server.runs.setdefault(run, {})
            known.update({key: value for key, value in values.items() if value is not None})
            data = {"upsertBucket": {"bucket": bucket(known), "inserted": True}}
        elif name == "RunResumeStatus":
            data = {"model": {"id": "p", "name": "p", "internalId": "1", "bucket": None}}
        elif name == "CreateRunFiles":
            self.server.files += values["files"]
            files = [{"name": file, "uploadUrl": f"{self.server.url}/storage"} for file in values["files"]]
            data = {"createRunFiles": {"runID": "1", "uploadHeaders": [], "files": files}}
        elif "upsertView" in query:
            self.server.views.append(values)
            data = {"upsertView": {"view": {"id": "1", "name": values["name"]}, "inserted": True}}
        self.answer({"data": data})

    def take_rows(self, run: str, body: dict[str, Any]) -> None:
        if self.server.rows_fail is not None:
            return self.answer({"error": "no"}, self.server.rows_fail)
        for file, chunk in body.get("files", {}).items():
            lines = [json.loads(line) for line in chunk["content"]] if file.endswith((".jsonl", ".json")) else []
            if file == "wandb-history.jsonl":
                self.server.rows.setdefault(run, []).extend(lines)
            elif file == "wandb-summary.json":
                self.server.summaries[run] = lines[-1]
        if body.get("complete"):
            self.server.exit_codes[run] = body["exitcode"]
        self.answer({"limits": {}})

    def answer(self, values: dict[str, Any], status: int = 200) -> None:
        data = json.dumps(values).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


def bucket(run: dict[str, Any]) -> dict[str, Any]:
    project = {"id": "p", "name": run.get("project"), "entity": {"id": "e", "name": run.get("entity") or "me"}}
    return {
        "id": "1", "name": run["name"], "displayName": run.get("displayName"), "description": "", "config": "{}",
        "sweepName": "", "historyLineCount": 0, "project": project,
    }  # fmt: skip


@contextmanager
def wandb_server() -> Iterator[WandbServer]:
    """A server on a port of its own, until the block ends."""
    server = WandbServer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.stop()
