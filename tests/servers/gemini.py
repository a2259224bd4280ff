"""A loopback server that speaks Gemini's wire protocol: JSON and SSE, function calls, usage, every fault.

It answers from a script: each request takes the next reply. A reply is a list of chunks (lists of parts), a
`Fault`, or a function of the request. It keeps what it was sent, for tests to look at.
"""

import base64
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Part = dict[str, Any]


@dataclass
class Fault:
    """Something that goes wrong instead of an answer."""

    status: int = 200
    body: Any = None
    """The error's JSON, or text for a proxy's HTML page."""
    chunks: list[list[Part]] = field(default_factory=list)
    """What is still said before it breaks."""
    cut: bool = False
    """The connection is cut after the chunks."""
    error_chunk: dict[str, Any] | None = None
    finish: str | None = None
    """A finish reason other than STOP, on the last chunk."""
    blocked: str | None = None


@dataclass
class Slow:
    """Chunks with a pause after each, in seconds."""

    chunks: list[list[Part]]
    pause: float
    silence: float = 0.0
    """Before the last chunk, besides."""


Reply = list[list[Part]] | Fault | Slow
Scripted = Reply | Callable[[dict[str, Any]], Reply]


def text(value: str) -> Part:
    """A text part."""
    return {"text": value}


def call(name: str, signature: str = "c2lnbmF0dXJl", **arguments: Any) -> Part:
    """A function call part with the thought signature that must come back."""
    return {"functionCall": {"name": name, "args": arguments}, "thoughtSignature": signature}


def code(value: str, given: str = "") -> Part:
    """Python that Gemini runs itself, from here as if it had."""
    part: Part = {"language": "PYTHON", "code": value}
    return {"executableCode": part | ({"id": given} if given else {})}


def code_result(output: str = "", outcome: str = "OUTCOME_OK", given: str = "") -> Part:
    """What that Python printed, and how it ended."""
    part: Part = {"outcome": outcome} | ({"output": output} if output else {})
    return {"codeExecutionResult": part | ({"id": given} if given else {})}


def inline(data: bytes, mime: str = "image/png") -> Part:
    """An image or a file that the code made."""
    return {"inlineData": {"mimeType": mime, "data": base64.b64encode(data).decode()}}


def error(code: int, status: str, message: str, *details: dict[str, Any]) -> Fault:
    """An API error as Gemini words it."""
    return Fault(
        code, {"error": {"code": code, "status": status, "message": message, "details": list(details)}}
    )


DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"


def too_many(delay: str = "", quota: str = MINUTE) -> Fault:
    """The 429 of a used-up quota; with a delay such as "37s" it says when to come back."""
    details: list[dict[str, Any]] = [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]}
    ]
    if delay:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    return error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", *details)


class GeminiServer:
    """Serves on a free port of localhost until closed."""

    def __init__(self, *script: Scripted) -> None:
        self.script: list[Scripted] = list(script)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """The base URL, without a version."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def next(self, request: dict[str, Any]) -> Reply:
        """The reply to the next request; the last one of the script is repeated."""
        with self._lock:
            self.requests.append(request)
            scripted = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return scripted(request) if callable(scripted) else scripted

    def close(self) -> None:
        """Stops serving."""
        self._server.shutdown()
        self._server.server_close()


def candidate(parts: list[Part], finish: str | None, tokens: int) -> dict[str, Any]:
    """One response object; usage is cumulative and on every chunk."""
    body: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish:
        body["finishReason"] = finish
    return {
        "candidates": [body],
        "modelVersion": "gemini-test",
        "usageMetadata": {
            "promptTokenCount": 10,
            "candidatesTokenCount": tokens,
            "totalTokenCount": 10 + tokens,
        },
    }


def _handler(server: GeminiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            models = [{"name": "models/gemini-3.5-flash", "supportedGenerationMethods": ["generateContent"]}]
            self._json(200, {"models": models})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            server.headers.append({k.lower(): v for k, v in self.headers.items()})
            server.paths.append(self.path)
            reply = server.next(body)
            try:
                if "streamGenerateContent" in self.path:
                    self._stream(reply)
                else:
                    self._whole(reply)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def _json(self, status: int, body: Any) -> None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            kind = "text/html" if isinstance(body, str) else "application/json"
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _whole(self, reply: Reply) -> None:
            fault = reply if isinstance(reply, Fault) else None
            if fault and fault.status != 200:
                self._json(fault.status, fault.body)
                return
            chunks = reply if isinstance(reply, list) else reply.chunks
            parts = [part for chunk in chunks for part in chunk]
            self._json(200, candidate(parts, (fault and fault.finish) or "STOP", len(parts)))

        def _stream(self, reply: Reply) -> None:
            fault = reply if isinstance(reply, Fault) else Fault()
            if fault.status != 200:
                self._json(fault.status, fault.body)
                return
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            chunks = reply if isinstance(reply, list) else reply.chunks
            for index, chunk in enumerate(chunks):
                last = index == len(chunks) - 1 and not fault.cut and not fault.error_chunk
                self._event(candidate(chunk, (fault.finish or "STOP") if last else None, index + 1))
                if isinstance(reply, Slow):
                    time.sleep(reply.pause + (reply.silence if index == len(chunks) - 2 else 0))
            self._end(fault, empty=not chunks)

        def _end(self, fault: Fault, *, empty: bool) -> None:
            if fault.cut:
                self.wfile.flush()
                self.close_connection = True
                self.connection.shutdown(2)
                return
            if fault.blocked:
                self._event({"promptFeedback": {"blockReason": fault.blocked}})
            elif fault.error_chunk:
                self._event(fault.error_chunk)
            elif empty:
                finish = {"finishReason": fault.finish or "STOP", "index": 0}
                self._event({"candidates": [finish]})
            self.wfile.write(b"0\r\n\r\n")
            self.wfile.flush()
            self.close_connection = True

        def _event(self, body: Any) -> None:
            data = b"data: " + json.dumps(body).encode() + b"\r\n\r\n"
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()

    return Handler
