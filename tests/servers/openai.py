"""A loopback server that speaks OpenAI's chat completions: JSON and SSE, with tool calls."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class OpenAIServer:
    """Answers from a list of messages: {"content"} or {"tool_calls": [(name, arguments)]}, or a status."""

    def __init__(self, *script: dict[str, Any] | int) -> None:
        self.script = list(script)
        self.requests: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """The base URL as MODEL_URL takes it."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def close(self) -> None:
        """Stops serving."""
        self._server.shutdown()
        self._server.server_close()


def _tool_calls(calls: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [
        {
            "index": index,
            "id": f"call_{index}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for index, (name, arguments) in enumerate(calls)
    ]


def _handler(server: OpenAIServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            server.requests.append(body)
            scripted = server.script.pop(0) if len(server.script) > 1 else server.script[0]
            if isinstance(scripted, int):
                self._send(scripted, "application/json", json.dumps({"error": {"message": "no"}}))
                return
            calls = _tool_calls(scripted.get("tool_calls", []))
            message: dict[str, Any] = {"role": "assistant", "content": scripted.get("content")}
            if calls:
                message["tool_calls"] = calls
            finish = "tool_calls" if calls else "stop"
            base = {"id": "c", "created": 1, "model": "local"}
            if not body.get("stream"):
                choice = {"index": 0, "message": message, "finish_reason": finish}
                usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
                whole = base | {"object": "chat.completion", "choices": [choice], "usage": usage}
                self._send(200, "application/json", json.dumps(whole))
                return
            base["object"] = "chat.completion.chunk"
            chunks = [
                base | {"choices": [{"index": 0, "delta": message, "finish_reason": None}]},
                base | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
            ]
            text = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
            self._send(200, "text/event-stream", text)

        def _send(self, status: int, kind: str, text: str) -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler
