"""What can go wrong with stored data. The message is for a person; the log has the cause."""


class StorageError(Exception):
    """Base of every error of this package."""


class StoreUnavailable(StorageError):
    """The database cannot be opened, read or written: no rights, no space, damaged, away, or too new."""


class StoreClosed(StoreUnavailable):
    """The app is shutting down."""


class NotFound(StorageError):
    """The named record does not exist, or belongs to someone else."""


class NotAllowed(StorageError):
    """The session's status does not allow this change."""


class SessionExpired(NotAllowed):
    """The session has expired; renew it before anything in it is changed."""


class InvalidExport(StorageError):
    """A file is no whole export of a session."""
