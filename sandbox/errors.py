"""Why a worker gave no answer."""


class SandboxError(Exception):
    """Base of every error of this package."""


class QueryFailed(SandboxError):
    """The engine refused the query; the message is the engine's, shortened."""


class ProgramFailed(SandboxError):
    """The program raised; the message is the last line of its traceback."""


class TimeLimitExceeded(SandboxError):
    """The call took longer than its limit and its process was killed."""


class MemoryLimitExceeded(SandboxError):
    """The call needed more memory than the worker may use."""


class OutputTooLarge(SandboxError):
    """The answer is larger than a worker may send back."""


class WorkerStopped(SandboxError):
    """Somebody stopped the worker while it was at this call."""


class WorkerDied(SandboxError):
    """The worker's process ended by itself in the middle of a call."""


class DiskLimitExceeded(SandboxError):
    """The code filled its folder."""


class IsolationMissing(SandboxError):
    """Nothing here could keep the code in, so it is not run."""


class Unreadable(SandboxError):
    """The file cannot be read as a table; the message is a sentence for the person who has it."""
