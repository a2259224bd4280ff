"""A real Spark: a standalone master, two workers and a Connect server, on the system's Java."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

HOST = "127.0.0.1"
START_SECONDS = 90
# Processes that live for a minute are not worth the second compiler's time.
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xss4m"
SETTINGS: dict[str, str] = {
    "spark.executor.extraJavaOptions": JAVA_OPTIONS,
    "spark.connect.grpc.binding.address": HOST,
    "spark.driver.host": HOST,
    "spark.driver.bindAddress": HOST,
    "spark.ui.enabled": "false",
    "spark.cores.max": "2",
    "spark.executor.cores": "1",
    "spark.executor.memory": "512m",
    "spark.sql.shuffle.partitions": "2",
    "spark.locality.wait": "0",
    # Each query runs once, on little data: compiling it would take longer than running it.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


def missing() -> str:
    """Why no Spark can be started here, or nothing."""
    if shutil.which("java") is None:
        return "Spark needs Java 17, and there is no java here"
    return "" if find_spec("pyspark") else "the package pyspark is not installed"


@contextmanager
def spark(folder: Path) -> Iterator[str]:
    """The sc:// address of a cluster for as long as the block runs."""
    found = find_spec("pyspark")
    assert found is not None and found.origin is not None
    home, connect, master = Path(found.origin).parent, _free_port(), _free_port()
    environment = os.environ | {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": HOST}
    environment |= {"SPARK_NO_DAEMONIZE": "1", "SPARK_DAEMON_JAVA_OPTS": JAVA_OPTIONS}
    settings = SETTINGS | {
        "spark.master": f"spark://{HOST}:{master}",
        "spark.connect.grpc.binding.port": str(connect),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.local.dir": str(folder / "local"),
    }
    with ExitStack() as stack:

        def run(name: str, main: str, *arguments: str, memory: str) -> None:
            command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{main}", *arguments]
            stack.enter_context(
                _process(command, environment | {"SPARK_DAEMON_MEMORY": memory}, folder / name)
            )

        run(
            "master",
            "master.Master",
            "--host",
            HOST,
            "--port",
            str(master),
            "--webui-port",
            "0",
            memory="256m",
        )
        _await(master, folder / "master")
        for name in ("worker-1", "worker-2"):
            run(
                name, "worker.Worker", "--host", HOST, "--cores", "1", "--memory", "600m",
                "--webui-port", "0", "--work-dir", str(folder / name), f"spark://{HOST}:{master}",
                memory="256m",
            )  # fmt: skip
        pairs = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
        server = "org.apache.spark.sql.connect.service.SparkConnectServer"
        run("connect", "SparkSubmit", "--class", server, *pairs, "spark-internal", memory="768m")
        _await(connect, folder / "connect")
        yield f"sc://{HOST}:{connect}"


@contextmanager
def _process(command: list[str], environment: Mapping[str, str], log: Path) -> Iterator[None]:
    with log.with_suffix(".log").open("wb") as output:
        process = subprocess.Popen(
            command, env=dict(environment), stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield
    finally:
        # Executors are children of the workers.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        port: int = listening.getsockname()[1]
        return port


def _await(port: int, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            socket.create_connection((HOST, port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"Spark did not start:\n{log.with_suffix('.log').read_text()[-2000:]}")
