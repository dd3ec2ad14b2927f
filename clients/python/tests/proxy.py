"""A proxy between the client and the service that loses or replaces answers, as networks do."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

CUT = "the service has answered, and the client gets half of it"
LOST = "the service has answered, and the client gets nothing"


class Proxy:
    """Does to each request what the next of `plans` says, and passes on the others."""

    def __init__(self, target: str) -> None:
        self.plans: deque[Any] = deque()
        self.calls: list[tuple[str, int]] = []
        """The path of each request and how many verifications were in it."""
        self.gate = threading.Event()
        """While it is not set, requests wait."""
        self.gate.set()
        self.arrived = threading.Semaphore(0)
        self._upstream = httpx.Client(base_url=target, timeout=10, trust_env=False)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._upstream.close()

    def _handler(proxy) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                asked = json.loads(body)
                proxy.calls.append((self.path, len(asked.get("requests", [asked]))))
                plan = proxy.plans.popleft() if proxy.plans else None
                proxy.arrived.release()
                proxy.gate.wait()
                if isinstance(plan, tuple):
                    self._answer(*plan)
                else:
                    self._pass_on(body, plan)

            def _pass_on(self, body: bytes, plan: str | None) -> None:
                headers = {
                    name: self.headers[name]
                    for name in ("authorization", "content-type")
                    if name in self.headers
                }
                answer = proxy._upstream.post(self.path, content=body, headers=headers)
                if plan == LOST:
                    self._close()
                    return
                sent = answer.content[: len(answer.content) // 2] if plan == CUT else answer.content
                passed = {
                    name: answer.headers[name]
                    for name in ("content-type", "retry-after")
                    if name in answer.headers
                }
                self._write(answer.status_code, passed, len(answer.content), sent)
                if plan == CUT:
                    self._close()

            def _answer(self, status: int, code: str, headers: dict[str, str]) -> None:
                body = json.dumps({"code": code, "requestId": "req_1"}).encode()
                self._write(status, headers, len(body), body)

            def _write(self, status: int, headers: Any, length: int, body: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(length))
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

            def _close(self) -> None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

        return Handler
