"""Whose conversations these are: the signed-in person, else the account that runs the server.

The app listens on localhost only, so without a sign-in the person at the browser is the person who
started it, from whichever browser they come.
"""

import streamlit as st

from agents.people import local_person


def user_id() -> str:
    """A stable id of the person at this browser."""
    if st.user.get("is_logged_in"):
        return str(st.user.get("sub") or st.user.get("email"))
    return local_person()
