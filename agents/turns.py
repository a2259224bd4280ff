"""Turns: one question and its answer, run in the background, whoever is watching.

A turn belongs to the server. It runs on the one event loop; pages follow its record and may come and go.
What was produced is stored as it appears, so a stop, a failure or a killed server loses none of it.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

from google.adk.agents._streaming_mode import StreamingMode
from google.adk.agents.run_config import RunConfig
from google.adk.runners import Runner
from google.adk.telemetry.context import TelemetryConfig
from google.genai import types

from agents import model_errors
from agents.artifacts import save
from agents.reruns import part_of, run_again, tell
from agents.saving import Saver
from agents.settings import Settings
from agents.transcript import Transcript
from agents.verified import MAX_ATTEMPTS, Verification
from agents.workspace import workspace
from sandbox.errors import SandboxError, WorkerStopped
from sandbox.pool import WorkerPool
from storage.errors import NotAllowed, NotFound, StorageError
from storage.keys import SessionKey
from storage.results import Result
from storage.store import Store
from storage.turns import TurnRecord, TurnRunning
from storage.window import History

logger = logging.getLogger(__name__)
ROOT = "assistant"
"""The root agent's name."""
MODE_OF_TURN = "temp:mode"
"""State of one turn: its mode."""
STOP_SECONDS = 0.5
CLOSE_SECONDS = 5.0
QUESTIONS_REMEMBERED = 12
TITLE_LENGTH = 60
BEAT_SECONDS = 2.0


class TurnRefused(Exception):
    """A question cannot be taken now; the message says why."""


class RunningTurn:
    """A turn that is being answered; `record` is what there is so far."""

    def __init__(
        self,
        record: TurnRecord,
        *,
        verification: Verification | None = None,
        rerun_of: str | None = None,
    ) -> None:
        self.record = record
        self.verification = verification
        """The checks that the answer has to pass, if it has to."""
        self.rerun_of = rerun_of
        """The result whose edited code is being run; None while a question is being answered."""
        self.problem = ""
        """Why edited code could not be run at all."""
        self.progress: tuple[float, str] | None = None
        """How far the step that runs is: a part between 0 and 1, and words; None where it says nothing."""
        self.version = 0
        """Grows with every change."""
        self.done = False
        self.ending = ""
        """stopped or interrupted, once somebody asked for it."""
        self.abort = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self._changed = threading.Condition()

    def wait(self, version: int, timeout: float) -> bool:
        """Blocks until something is newer than `version`; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self.version > version or self.done, timeout)

    def change(self, *, done: bool = False) -> None:
        """Tells those who wait."""
        with self._changed:
            self.version += 1
            self.done = self.done or done
            self._changed.notify_all()


class Turns:
    """Starts, follows, stops and recovers turns; every call is safe from any thread."""

    def __init__(
        self,
        *,
        store: Store,
        pool: WorkerPool,
        settings: Settings,
        submit: Callable[[Coroutine[Any, Any, None]], Future[None]],
        call: Callable[[Callable[[], Any]], Any],
        runner: Callable[[], Runner],
        label: Callable[[], str],
        verification: Callable[[SessionKey, str], Verification],
        owner: str,
    ) -> None:
        self._store = store
        self._pool = pool
        self._settings = settings
        self._submit = submit
        self._call = call
        self._runner = runner
        self._label = label
        self._verification = verification
        self._owner = owner
        self._running: dict[SessionKey, RunningTurn] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._closing = threading.Lock()

    def start(
        self, key: SessionKey, question: str, mode: str | None = None, verified: bool = False
    ) -> RunningTurn:
        """Stores the question and begins the answer, in the conversation's mode or in `mode`.

        A `verified` answer has to pass checks, and is computed again within bounds when it does not.
        Raises TurnRefused while another answer is being made in this session, at shutdown, for an empty
        question, and when the conversation was deleted; StorageError when it cannot be stored.
        """
        if not question.strip():
            raise TurnRefused("Type a question first.")
        with self._lock:
            self._check_free(key)
            record = self._store_question(key, question, mode)
            checks = self._verification(key, record.question) if verified else None
            running = self._running[key] = RunningTurn(record, verification=checks)
        self._submit(self._run(running))
        return running

    def rerun(self, key: SessionKey, turn_id: str, result_id: str, code: str) -> RunningTurn:
        """Runs the edited code of a turn's result; what it gives becomes part of that turn.

        Raises TurnRefused as `start` does, and when there is no such result or no code.
        """
        record = self._store.turns.get(key.user_id, turn_id)
        result = self._store.results.get(key.user_id, result_id)
        if record is None or result is None or record.key != key or result.key != key:
            raise TurnRefused("This result is no longer stored.")
        if record.status == "running" or part_of(record, result_id) is None:
            raise TurnRefused("Code can be edited once its answer is complete.")
        if not code.strip():
            raise TurnRefused("There is no code to run.")
        conversation = self._store.conversations.get(key)
        if conversation is None or conversation.status == "expired":
            raise TurnRefused("This conversation has expired. Renew it to go on.")
        isolation = self._pool.isolation
        if result.language == "python" and not isolation.runs_code:
            raise TurnRefused(isolation.text)
        with self._lock:
            self._check_free(key)
            running = self._running[key] = RunningTurn(record, rerun_of=result_id)
        self._submit(self._run_edited(running, result, code))
        return running

    def tell(self, key: SessionKey, part: float, words: str) -> None:
        """Shows how far the running step of the session is."""
        running = self._running.get(key)
        if running is not None:
            running.progress = (part, words)
            running.change()

    def running(self, key: SessionKey) -> RunningTurn | None:
        """The turn being answered in a session, if any."""
        with self._lock:
            return self._running.get(key)

    def stop(self, key: SessionKey) -> None:
        """Ends the running turn of a session: the model's call and running code; keeps the rest.

        One that another server runs ends there within some seconds.
        """
        running = self.running(key)
        if running is not None:
            self._end(running, "stopped")
        else:
            self._store.turns.request_stop(key)

    def retry(self, user_id: str, turn_id: str) -> RunningTurn:
        """Asks a stored turn's question again. Raises TurnRefused when there is no such turn."""
        record = self._store.turns.get(user_id, turn_id)
        if record is None:
            raise TurnRefused("This question is no longer stored.")
        return self.start(record.key, record.question)

    async def keep_leases(self) -> None:
        """Renews this server's leases for ever, and ends turns that were asked to stop elsewhere."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                stops = await asyncio.to_thread(self._store.turns.renew, self._owner)
            except StorageError as error:
                logger.warning("leases were not renewed: %s", error)
                continue
            with self._lock:
                asked = [turn for turn in self._running.values() if turn.record.id in stops]
            for running in asked:
                await asyncio.to_thread(self._end, running, "stopped")

    def close(self) -> None:
        """Ends all turns as interrupted and waits for them."""
        # One at a time: who comes second finds nothing to end, and the loop is there for the first.
        with self._closing:
            with self._lock:
                self._closed = True
                open_turns = list(self._running.values())
            for running in open_turns:
                self._end(running, "interrupted")
            deadline = time.monotonic() + CLOSE_SECONDS
            for running in open_turns:
                while not running.done and time.monotonic() < deadline:
                    running.wait(running.version, 0.1)

    def _check_free(self, key: SessionKey) -> None:
        if self._closed:
            raise TurnRefused("The app is shutting down. Ask again when it is back.")
        if (other := self._running.get(key)) is not None:
            what = "An answer is still being made" if other.rerun_of is None else "Code is still running"
            raise TurnRefused(f"{what} here. Wait for it, or stop it.")

    def _store_question(self, key: SessionKey, question: str, mode: str | None) -> TurnRecord:
        conversation = self._store.conversations.get(key)
        if conversation is None:
            raise TurnRefused("This conversation no longer exists. Start a new one.")
        try:
            self._store.conversations.set_title_if_empty(key, title(question))
            mode = mode or conversation.mode
            return self._store.turns.start(key, question, mode, self._label(), self._owner)
        except NotFound:
            raise TurnRefused("This conversation was just deleted. Start a new one.") from None
        except (TurnRunning, NotAllowed) as error:
            raise TurnRefused(str(error)) from error

    def _end(self, running: RunningTurn, how: str) -> None:
        running.ending = running.ending or how
        self._call(running.abort.set)
        self._pool.kill(running.record.key.session_id)
        if running.verification is not None:
            running.verification.stop()
        self._submit(self._cancel_later(running))

    async def _cancel_later(self, running: RunningTurn) -> None:
        if running.task is not None:
            _, pending = await asyncio.wait({running.task}, timeout=STOP_SECONDS)
            if pending:
                # Once more, for code that was about to begin when the first kill came.
                await asyncio.to_thread(self._pool.kill, running.record.key.session_id)
                running.task.cancel()

    async def _run(self, running: RunningTurn) -> None:
        running.task = asyncio.current_task()
        record, transcript = running.record, Transcript(running.record)
        saver = Saver(record, self._store.turns.save)
        try:
            attempts = 1 if running.verification is None else MAX_ATTEMPTS
            async with asyncio.timeout(self._settings.turn_timeout_seconds * attempts):
                await self._follow(running, transcript, saver)
            if record.error is None and not transcript.answered:
                record.error = model_errors.make("empty").as_json()
        except asyncio.CancelledError:
            running.ending = running.ending or "interrupted"
        except TimeoutError:
            await asyncio.to_thread(self._pool.kill, record.key.session_id)
            record.error = model_errors.make("timeout").as_json()
        except Exception as error:
            found = model_errors.from_exception(error)
            logger.warning("a turn failed: %s (%s)", found.kind, type(error).__name__)
            record.error = found.as_json()
        finally:
            try:
                await saver.close()
                await asyncio.shield(self._end_verification(running))
            finally:
                # On a thread, because it waits for a database that went away.
                await asyncio.shield(asyncio.to_thread(self._finish, running, transcript))

    async def _follow(self, running: RunningTurn, transcript: Transcript, saver: Saver) -> None:
        runner = await asyncio.to_thread(self._runner)
        record, key = running.record, running.record.key
        record.model = self._label()
        verification, message = running.verification, record.question
        if verification is not None:
            record.parts.append(verification.part)
            saver.changed(urgent=True)
            await verification.prepare(record)
        while message:
            running.change()
            async for event in runner.run_async(
                user_id=key.user_id,
                session_id=key.session_id,
                new_message=types.Content(role="user", parts=[types.Part(text=message)]),
                state_delta={MODE_OF_TURN: record.mode},
                run_config=self._run_config(),
                abort_signal=running.abort,
            ):
                transcript.take(event)
                running.progress = None
                saver.changed(urgent=transcript.structural)
                running.change()
            message = ""
            if verification is not None and not running.ending:
                message = await verification.check(record)
                saver.changed(urgent=True)

    async def _end_verification(self, running: RunningTurn) -> None:
        if running.verification is None:
            return
        try:
            await running.verification.end(running.record)
        except StorageError as error:
            logger.warning("the end of a verification was not stored: %s", error)

    async def _run_edited(self, running: RunningTurn, result: Result, code: str) -> None:
        running.task = asyncio.current_task()
        record, key = running.record, running.record.key
        try:
            version = await asyncio.to_thread(run_again, workspace(), record, result, code)
            await asyncio.to_thread(self._store.turns.append_parts, record, version.parts)
            record.parts += version.parts
            running.change()
            for artifact in version.artifacts:
                await save(self._store.artifacts, key, artifact)
            await tell(self._store.sessions, key, ROOT, result, code, version)
        except (WorkerStopped, asyncio.CancelledError):
            running.ending = running.ending or "interrupted"
        except (SandboxError, StorageError, OSError, ValueError) as error:
            logger.warning("edited code was not run or not stored: %s", error)
            running.problem = str(error)
        except Exception:
            logger.exception("edited code could not be run")
            running.problem = "The code could not be run."
        finally:
            with self._lock:
                self._running.pop(key, None)
            running.change(done=True)

    def _run_config(self) -> RunConfig:
        history = History(questions=QUESTIONS_REMEMBERED) if self._store.persistent else None
        return RunConfig(
            streaming_mode=StreamingMode.SSE,
            max_llm_calls=self._settings.max_model_calls,
            get_session_config=history,
            telemetry=TelemetryConfig(genai_semconv_stability_opt_in="stable"),
        )

    def _finish(self, running: RunningTurn, transcript: Transcript) -> None:
        record = running.record
        transcript.close_steps()
        record.status = running.ending or ("failed" if record.error else "completed")
        if running.ending:
            record.error = None
        record.finished_at = time.time()
        try:
            self._store.turns.save(record, patient=True)
            if not self._store.persistent:
                self._store.conversations.add_usage(record.key, turns=1, tokens=record.tokens)
        except StorageError as error:
            logger.exception("an ended turn was not stored")
            record.status, record.error = "failed", model_errors.from_exception(error).as_json()
        finally:
            with self._lock:
                self._running.pop(record.key, None)
            running.change(done=True)


def title(question: str) -> str:
    """The conversation's title: the question's first line, cut at a word."""
    line = " ".join(question.split())
    if len(line) <= TITLE_LENGTH:
        return line
    return line[:TITLE_LENGTH].rsplit(" ", 1)[0] + "…"
