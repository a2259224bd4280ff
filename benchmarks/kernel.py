"""A Jupyter kernel, asked through jupyter_client as a notebook asks it."""

from typing import Any

from jupyter_client.manager import start_new_kernel

SECONDS = 60


class Kernel:
    """An ipykernel of its own."""

    def __init__(self) -> None:
        self._manager, self._client = start_new_kernel()

    def run(self, code: str) -> dict[str, Any]:
        """Runs a cell and returns what it displayed, by MIME type. Raises RuntimeError."""
        asked = self._client.execute(code)
        shown: dict[str, Any] = {}
        while True:
            message = self._client.get_iopub_msg(timeout=SECONDS)
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind in ("display_data", "execute_result"):
                shown = content["data"]
            elif kind == "error":
                raise RuntimeError(content["evalue"])
            elif kind == "status" and content["execution_state"] == "idle":
                break
        self._client.get_shell_msg(timeout=SECONDS)
        return shown

    def close(self) -> None:
        """Ends it."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
