"""Who a person is when nobody signed in: the account that runs the server."""

import getpass


def local_person() -> str:
    """A stable id of the person at this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "local"
