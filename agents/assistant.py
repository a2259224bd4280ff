"""The running app without its page: store, workers, one event loop, the model, the turns.

Opened by the server's start and closed by its end. What needs ADK's Runner is built in the background, so
that the first page does not wait for it.
"""

import asyncio
import dataclasses
import logging
import threading
import uuid
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, BinaryIO

from agents import connections as tables_elsewhere
from agents.artifacts import load
from agents.connections import ConnectionInfo
from agents.ingests import Ingests
from agents.originals import Originals
from agents.settings import Settings
from agents.turns import Turns
from agents.verified import Verification
from agents.workspace import close_workspace, open_workspace
from analysis.cleaning import remade
from analysis.conditions import Condition
from analysis.engine import Engine
from analysis.errors import LimitExceeded
from analysis.ingest import Progress, ReadOptions, ingest, ingest_all
from analysis.joins import JoinProposal, unmatched_keys
from analysis.profiling import Profile, ensure_profile
from sandbox.errors import SandboxError
from sandbox.isolation import Isolation
from storage.conversations import Conversation
from storage.datasets import Dataset
from storage.errors import NotFound, StorageError
from storage.keys import SessionKey
from storage.owners import Owner
from storage.results import Result
from storage.session_states import SessionState
from storage.store import Store

if TYPE_CHECKING:
    from google.adk.runners import Runner

    from agents.models import ModelChoice

logger = logging.getLogger(__name__)
APP_NAME = "agents"
CODE_RUNS, VERIFY = "code_runs", "verify"
"""Names in a conversation's metadata."""
THREADS = 32
"""For what blocks. A run of code holds one for up to a minute, and others must not wait for it."""
SWEEP_SECONDS = 600.0


class Assistant:
    """One per server process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._workspace = open_workspace(settings)
        self.store, self.pool = self._workspace.store, self._workspace.pool
        self.pool.warm()
        self._owner = Owner(self.store.home / "owners")
        self.store.turns.interrupt_dead(self._owner.folder_id, self._owner.alive())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="agents-loop", daemon=True)
        self._thread.start()
        self._opened: Future[tuple[Runner, ModelChoice]] = Future()
        threading.Thread(target=self._prepare, name="agents-prepare", daemon=True).start()
        self.turns = Turns(
            store=self.store,
            pool=self.pool,
            settings=settings,
            submit=self._submit,
            call=lambda work: self._loop.call_soon_threadsafe(work),
            runner=lambda: self._opened.result()[0],
            label=lambda: self.model.label if self.model else "",
            verification=self._verification,
            owner=self._owner.name,
        )
        self.originals = Originals(self.store, self.pool)
        self.ingests = Ingests(
            store=self.store,
            pool=self.pool,
            settings=settings,
            owner=self._owner,
            new_session=self.new_session,
        )
        self._workspace.progress = self.turns.tell
        self._submit(self.turns.keep_leases())
        self._submit(self._keep_swept())

    @property
    def model(self) -> "ModelChoice | None":
        """The chosen model; None while it is being opened, and when that failed."""
        return self._opened.result()[1] if self._opened.done() and not self.model_problem else None

    @property
    def model_problem(self) -> str:
        """Why the model could not be opened, or nothing."""
        error = self._opened.exception() if self._opened.done() else None
        return f"The model could not be opened: {error}" if error else ""

    def new_session(self, user_id: str) -> SessionKey:
        """A real ADK session, made now."""
        key = SessionKey(APP_NAME, user_id, str(uuid.uuid4()))
        if not self.store.persistent:
            creating = self.store.sessions.create_session(
                app_name=APP_NAME, user_id=user_id, session_id=key.session_id
            )
            self._submit(creating).result()
            self.store.conversations.ensure(key)
            return key
        self.store.database_sessions.create_session_sync(
            app_name=APP_NAME, user_id=user_id, session_id=key.session_id
        )
        return key

    def conversation(self, user_id: str, session_id: str) -> Conversation | None:
        """The user's conversation by its id."""
        return self.store.conversations.get(SessionKey(APP_NAME, user_id, session_id))

    def delete_session(self, key: SessionKey) -> None:
        """Deletes the conversation, ends what runs in it, and removes what its code left."""
        self.store.conversations.delete(key)
        self.store.models.delete(key)
        self.pool.forget(key.session_id)

    def set_mode(self, key: SessionKey, mode: str) -> None:
        """direct or code; the conversation is kept."""
        self.store.conversations.set_mode(key, mode)

    @property
    def isolation(self) -> Isolation:
        """How code that a model or a person wrote is locked in here."""
        return self.pool.isolation

    @property
    def can_run_at_gemini(self) -> bool:
        """Whether the model can run its code at Google."""
        from agents.gemini_code import supports_gemini_code

        return self.model is not None and supports_gemini_code(self.model)

    def code_runs(self, key: SessionKey) -> str:
        """Where code of the model runs in code mode: here, or gemini for Gemini's own code execution."""
        return "gemini" if self._metadata(key).get(CODE_RUNS) == "gemini" else "here"

    def set_code_runs(self, key: SessionKey, where: str) -> None:
        """Sets here or gemini. Raises ValueError for another word."""
        if where not in ("here", "gemini"):
            raise ValueError(f"Code runs here or at gemini, not {where!r}.")
        self.store.conversations.set_metadata(key, **{CODE_RUNS: where})

    def verify(self, key: SessionKey) -> bool:
        """Whether answers in code mode have to pass checks."""
        return self._metadata(key).get(VERIFY) is True

    def set_verify(self, key: SessionKey, verify: bool) -> None:
        """Sets whether they have to."""
        self.store.conversations.set_metadata(key, **{VERIFY: verify})

    def file(self, key: SessionKey, result: Result) -> bytes:
        """The bytes of a result that is a file. Raises NotFound when they are not kept."""
        name = result.output.get("artifact")
        data = self._await(load(self.store.artifacts, key, name)) if name else None
        if data is None:
            raise NotFound(f"The file of {result.title} is no longer kept.")
        return bytes(data)

    def datasets(self, key: SessionKey) -> list[Dataset]:
        """The conversation's datasets, the current one last."""
        return self.store.datasets.for_session(key)

    def upload(
        self, key: SessionKey, file_name: str, source: BinaryIO, progress: Progress | None = None
    ) -> list[Dataset]:
        """Reads a file's tables into the conversation and waits; questions are about the first.

        Raises IngestError with a sentence for the person.
        """
        worker = f"upload-{uuid.uuid4().hex}"
        try:
            datasets = ingest_all(
                source,
                file_name,
                datasets=self.store.datasets,
                worker=self.pool.worker(worker),
                user_id=key.user_id,
                limit_mb=self.settings.upload_limit_mb,
                progress=progress,
            )
        finally:
            self.pool.forget(worker)
        for dataset in reversed(datasets):
            self.store.datasets.attach(key, dataset.id)
        return datasets

    def set_current_dataset(self, key: SessionKey, dataset_id: str) -> None:
        """Makes one of the conversation's datasets the one that questions are about."""
        self.store.datasets.attach(key, dataset_id)

    def remove_dataset(self, key: SessionKey, dataset_id: str) -> None:
        """Takes a dataset out of the conversation; messages and results stay."""
        self.store.datasets.detach(key, dataset_id)

    def connections(self) -> list[ConnectionInfo]:
        """The connections to other engines that the settings name."""
        return tables_elsewhere.connections(self._workspace)

    def schemas(self, connection: str) -> list[str]:
        """The schemas of a connection. Raises ConnectionRefused."""
        return tables_elsewhere.schemas(self._workspace, connection)

    def tables(self, connection: str, schema: str = "") -> list[str]:
        """The tables of a schema of a connection. Raises ConnectionRefused."""
        return tables_elsewhere.tables(self._workspace, connection, schema)

    def attach_table(self, key: SessionKey, connection: str, table: str, schema: str = "") -> Dataset:
        """Makes a table of a connection the current dataset; its rows stay there. Raises AnalysisError."""
        return tables_elsewhere.attach_table(self._workspace, key, connection, schema, table)

    def copy_here(
        self,
        key: SessionKey,
        dataset: Dataset,
        where: Sequence[Condition] = (),
        progress: Progress | None = None,
    ) -> Dataset:
        """Fetches rows of a table of a connection to a dataset of their own. Raises AnalysisError."""
        return tables_elsewhere.copy_here(self._workspace, key, dataset, where, progress)

    def sample(self, key: SessionKey, dataset: Dataset, rows: int) -> Any:
        """The dataset's first rows as a DataFrame. Raises AnalysisError when they cannot be read."""
        if dataset.state != "ready":
            dataset = dataclasses.replace(dataset, table_path=dataset.sample_path, state="ready")
        worker, there = self.pool.worker(key.session_id), self._workspace.connections
        engine = Engine(worker, [dataset], key=key, invocation_id="", connections=there)
        return engine.fetch(engine.table(dataset).limit(rows)).to_pandas()

    def profile(self, key: SessionKey, dataset: Dataset) -> Profile:
        """The dataset's profile, made and stored if there is none. Raises AnalysisError."""
        try:
            return ensure_profile(self.pool.worker(key.session_id), dataset)
        except SandboxError as error:
            raise LimitExceeded(f"The profile could not be made: {error}") from error

    def unmatched_keys(
        self, key: SessionKey, datasets: Sequence[Dataset], proposal: JoinProposal
    ) -> tuple[list[list[Any]], list[list[Any]]]:
        """Examples of the left and the right table's keys without a partner. Raises AnalysisError."""
        engine = Engine(self.pool.worker(key.session_id), datasets, key=key, invocation_id="")
        return unmatched_keys(engine, proposal)

    def export_session(self, key: SessionKey, target: BinaryIO) -> None:
        """Writes the conversation with all its data to `target`, as a zip file. Raises NotFound."""
        from agents.transfer import export_session

        export_session(self.store, self._await, key, target)

    def import_session(self, user_id: str, source: BinaryIO) -> SessionKey:
        """A new conversation of the user from an exported file.

        Raises InvalidExport and IngestError, which say what is wrong with it; nothing is imported then.
        """
        from agents.transfer import import_session

        worker = self.pool.worker(f"import of {user_id}")
        store = self.store.datasets

        def read(data: BinaryIO, file_name: str, options: ReadOptions | None) -> Dataset:
            limit_mb = self.settings.upload_limit_mb
            return ingest(
                data,
                file_name,
                datasets=store,
                worker=worker,
                user_id=user_id,
                limit_mb=limit_mb,
                options=options,
            )

        def remake(parents: list[Dataset], step: dict[str, Any]) -> Dataset:
            key = SessionKey(APP_NAME, user_id, "")
            return remade(Engine(worker, parents, key=key, invocation_id=""), store, parents, step)

        try:
            return import_session(self.store, self._await, user_id, APP_NAME, source, read, remake)
        finally:
            self.pool.forget(f"import of {user_id}")

    def duplicate_session(self, key: SessionKey) -> SessionKey:
        """A second conversation like this one, on the same data. Raises NotFound."""
        from agents.transfer import duplicate_session

        return duplicate_session(self.store, self._await, key)

    def verified(self, key: SessionKey, question: str) -> SessionState:
        """Answers and checks the answer; blocks until there is a verdict. Raises TurnRefused."""
        running = self.turns.start(key, question, verified=True)
        assert running.verification is not None
        while not running.done:
            running.wait(running.version, 1.0)
        return running.verification.state

    def _verification(self, key: SessionKey, question: str) -> Verification:
        return Verification(
            store=self.store,
            pool=self.pool,
            settings=self.settings,
            llm=lambda: self._opened.result()[1].llm,
            key=key,
            question=question,
        )

    def close(self) -> None:
        """Ends running turns as interrupted, then everything else."""
        global _current
        self.ingests.close()
        self.turns.close()
        self._submit(self._finish()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._owner.close()
        close_workspace()
        with _lock:
            if _current is self:
                _current = None

    async def _keep_swept(self) -> None:
        while True:
            try:
                swept = await asyncio.to_thread(self.store.sweep)
                logger.info("swept: %s", swept)
                await asyncio.to_thread(self.ingests.recover)
            except StorageError as error:
                logger.warning("not swept: %s", error)
            await asyncio.sleep(SWEEP_SECONDS)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="agents"))
        self._loop.run_forever()

    async def _finish(self) -> None:
        """Lets nothing run on after the loop."""
        if self._opened.done() and self._opened.exception() is None:
            runner, choice = self._opened.result()
            await runner.close()
            await choice.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.get_running_loop().shutdown_asyncgens()
        await asyncio.get_running_loop().shutdown_default_executor()

    def _metadata(self, key: SessionKey) -> dict[str, Any]:
        conversation = self.store.conversations.get(key)
        return conversation.metadata if conversation else {}

    def _await(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._submit(work).result()

    def _submit(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _prepare(self) -> None:
        try:
            self._opened.set_result(_open_model(self.settings, self.store))
        except Exception as error:
            logger.exception("the model could not be opened")
            self._opened.set_exception(error)


def _open_model(settings: Settings, store: Store) -> "tuple[Runner, ModelChoice]":
    from google.adk.runners import Runner

    from agents.agent import build_app
    from agents.models import choose_model

    # Its advice is to keep caches at the model's service, which cost money while nobody asks.
    advice = logging.getLogger("google_adk.google.adk.runners")
    advice.addFilter(lambda record: "context_cache_config" not in record.getMessage())
    choice = choose_model(settings)
    runner = Runner(
        app=build_app(choice.llm, code_blocks=settings.code_blocks),
        session_service=store.sessions,
        artifact_service=store.artifacts,
    )
    return runner, choice


_lock = threading.Lock()
_current: Assistant | None = None


def start(settings: Settings) -> Assistant:
    """Opens the process's assistant, or returns the one that is open. Raises StorageError."""
    global _current
    with _lock:
        if _current is None:
            _current = Assistant(settings)
        return _current


def current(settings: Callable[[], Settings] = Settings.load) -> Assistant:
    """The process's assistant, opened with `settings` if it is not open yet."""
    return start(settings()) if _current is None else _current


def end_turns() -> None:
    """Ends the running answers of the process's assistant as interrupted, and takes no more questions."""
    if _current is not None:
        _current.turns.close()


def close_current() -> None:
    """Closes the process's assistant if it is open."""
    if _current is not None:
        _current.close()
