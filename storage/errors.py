"""What can go wrong with stored data. The message is for a person; the log has the cause."""


class StorageError(Exception):
    """Base of every error of this package."""


class StoreUnavailable(StorageError):
    """The database cannot be opened, read or written: no rights, no space, damaged, or too new."""


class NotFound(StorageError):
    """The named record does not exist, or belongs to someone else."""
