"""Not a Jira: a small server on loopback that speaks the documented calls of its REST API, version 2, for issues,
attachments and comments (developer.atlassian.com/server/jira/platform/rest, "add attachment" and "add comment").
"""

import base64
import email
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LIMIT = 300_000


@dataclass(slots=True, kw_only=True)
class Issue:
    attachments: list[tuple[str, bytes]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Jira:
    port: int = 0
    issues: dict[str, Issue] = field(default_factory=lambda: {"OPS-812": Issue(), "OPS-813": Issue()})
    readers: tuple[str, ...] = ("reader-token",)
    writers: tuple[str, ...] = ("writer-token",)
    told_limit: int = LIMIT
    too_large: int = 413
    """What it answers then; Data Center 404."""
    busy: int = 0
    """So many requests that are answered with 503."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jira"


class _Handler(BaseHTTPRequestHandler):
    jira: Jira
    protocol_version = "HTTP/1.1"

    def _answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _who(self) -> str:
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        return base64.b64decode(value).decode().partition(":")[2] if kind == "Basic" else value

    def _refused(self, *, writing: bool) -> bool:
        jira = self.jira
        if jira.busy:
            jira.busy -= 1
            self._answer(503, {"errorMessages": ["starting"]})
        elif self._who() not in (*jira.readers, *jira.writers):
            self._answer(401, {"errorMessages": ["You are not authenticated."]})
        elif writing and self._who() not in jira.writers:
            self._answer(403, {"errorMessages": ["You do not have permission to create attachments for this issue."]})
        else:
            return False
        return True

    def do_GET(self) -> None:
        if self._refused(writing=False):
            return
        path = self.path.partition("?")[0]
        if path == "/jira/rest/api/2/attachment/meta":
            self._answer(200, {"enabled": True, "uploadLimit": self.jira.told_limit})
            return
        found = re.fullmatch(r"/jira/rest/api/2/issue/([^/]+)(/comment)?", path)
        issue = self.jira.issues.get(found[1]) if found else None
        if not found or issue is None:
            self._answer(404, {"errorMessages": ["Issue Does Not Exist"], "errors": {}})
        elif found[2]:
            comments = [
                {"id": str(10 + place), "body": body, "self": f"{self.jira.url}{path}/{10 + place}"}
                for place, body in enumerate(issue.comments)
            ]
            self._answer(200, {"startAt": 0, "total": len(comments), "maxResults": 1_048_576, "comments": comments})
        else:
            files = [
                {"id": str(place), "filename": name, "size": len(data), "self": f"{self.jira.url}/attachment/{place}"}
                for place, (name, data) in enumerate(issue.attachments)
            ]
            fields = {"summary": "network down", "attachment": files}
            self._answer(200, {"id": "1", "key": found[1], "self": f"{self.jira.url}{path}", "fields": fields})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if len(body) < int(self.headers["Content-Length"]):
            self.close_connection = True
            return
        if self._refused(writing=True):
            return
        found = re.fullmatch(r"/jira/rest/api/2/issue/([^/]+)/(comment|attachments)", self.path)
        issue = self.jira.issues.get(found[1]) if found else None
        if not found or issue is None:
            self._answer(404, {"errorMessages": ["Issue Does Not Exist"], "errors": {}})
        elif found[2] == "comment":
            issue.comments.append(json.loads(body)["body"])
            self._answer(201, {"id": str(9 + len(issue.comments)), "body": issue.comments[-1], "self": self.jira.url})
        elif self.headers.get("X-Atlassian-Token") != "no-check":
            self._answer(403, {"errorMessages": ["XSRF check failed"]})
        elif len(body) > LIMIT + 1000:
            self._answer(self.jira.too_large, {"errorMessages": ["too large"]})
        else:
            head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            (part,) = email.message_from_bytes(head + body, policy=HTTP).iter_parts()
            assert part.get_param("name", header="content-disposition") == "file"
            data = part.get_payload(decode=True)
            assert isinstance(data, bytes)
            issue.attachments.append((str(part.get_filename()), data))
            self._answer(200, [{"id": "1", "filename": part.get_filename(), "size": len(data), "self": self.jira.url}])

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def jira_server() -> Iterator[Jira]:
    jira = Jira()
    handler = type("Handler", (_Handler,), {"jira": jira})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    jira.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield jira
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
