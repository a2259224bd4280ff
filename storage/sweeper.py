"""What has to go, goes by itself: sessions whose time has come, empty ones, and leftovers of uploads."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from storage.database import Connection, Database
from storage.search import catch_up
from storage.uploads import Uploads

EMPTY_SECONDS = 7 * 86_400.0
BROKEN_RUN_SECONDS = 3600.0
EXPIRED_SECONDS = 30 * 86_400.0
INCOMING_SECONDS = 86_400.0
# Nobody said anything in it, named it, or brought data or results to it.
UNUSED = (
    "s.turn_count = 0 AND s.title = '' AND s.revision = 0"
    " AND NOT EXISTS (SELECT 1 FROM turns t WHERE t.session_key = s.key)"
    " AND NOT EXISTS (SELECT 1 FROM session_datasets d WHERE d.session_key = s.key)"
    " AND NOT EXISTS (SELECT 1 FROM adk_state a WHERE a.session_key = s.key)"
    " AND NOT EXISTS (SELECT 1 FROM results r WHERE r.session_key = s.key)"
    " AND s.metadata = '{}' AND s.status = 'active'"
)


@dataclass(frozen=True)
class Swept:
    """How many of each."""

    expired: int
    """Sessions whose time had come; they can be read and renewed."""
    deleted_expired: int
    """Sessions that had been expired for 30 days."""
    deleted_empty: int
    """Sessions in which nothing happened for a week."""
    broken_runs: int
    """Verified workflows whose server died."""
    deleted_files: int
    """Uploads that were broken off a day ago or before."""


def sweep(
    database: Database, datasets: Path, now: float | None = None, uploads: Uploads | None = None
) -> Swept:
    """Sweeps once, as of `now` (Unix seconds). Completed sessions are kept for ever."""
    moment = time.time() if now is None else now

    def run(connection: Connection) -> tuple[int, int, int, int]:
        expired = connection.execute(
            "UPDATE adk_sessions SET status = 'expired'"
            " WHERE status IN ('active', 'paused') AND expires_at <= ?",
            (moment,),
        ).rowcount
        old = connection.execute(
            "DELETE FROM adk_sessions WHERE status = 'expired' AND expires_at <= ?",
            (moment - EXPIRED_SECONDS,),
        ).rowcount
        empty = connection.execute(
            f"DELETE FROM adk_sessions WHERE key IN (SELECT s.key FROM adk_sessions s"
            f" WHERE s.updated_at <= ? AND {UNUSED})",
            (moment - EMPTY_SECONDS,),
        ).rowcount
        broken = connection.execute(
            "UPDATE session_states SET workflow_status = 'failed'"
            " WHERE workflow_status = 'running' AND updated_at < ?",
            (datetime.fromtimestamp(moment - BROKEN_RUN_SECONDS, UTC).isoformat(),),
        ).rowcount
        catch_up(connection)
        return expired, old, empty, broken

    swept = database.write(run, user=None)
    expired_uploads = uploads.sweep(moment) if uploads is not None else 0
    return Swept(*swept, _broken_uploads(datasets, moment) + expired_uploads)


def _broken_uploads(datasets: Path, moment: float) -> int:
    files = [
        path for path in datasets.glob("incoming-*") if path.stat().st_mtime <= moment - INCOMING_SECONDS
    ]
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)
