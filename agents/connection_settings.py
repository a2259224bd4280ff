"""The connections that settings name: from one value, from a TOML file, from Streamlit's secrets."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from analysis.errors import ConnectionRefused
from analysis.remote.urls import kind_of_url

NAME = re.compile(r"[A-Za-z0-9][\w .-]{0,59}")


def read_connections(value: str, file: str, section: Any) -> dict[str, SecretStr]:
    """URLs by name; a name in `value` wins over the same in the file, and that over the section.

    `value`: lines of `name=url`, or a JSON object. The file and the section have `name = "url"`, or a table a
    name with a `url`. Raises ValueError that names the connection and never shows its URL.
    """
    found = {**_named(section), **_of_file(file), **_of_value(value)}
    for name, url in found.items():
        if not NAME.fullmatch(name):
            raise ValueError("a name has letters, digits, spaces, dots, - and _, at most 60 of them")
        try:
            kind_of_url(url)
        except ConnectionRefused as error:
            raise ValueError(f"{name!r}: {error}") from None
    return {name: SecretStr(url) for name, url in found.items()}


def _of_value(value: str) -> dict[str, str]:
    if not value:
        return {}
    if value.lstrip().startswith("{"):
        try:
            return _named(json.loads(value))
        except ValueError:
            raise ValueError("it starts with { and is no JSON object") from None
    found = {}
    for line in filter(None, map(str.strip, value.splitlines())):
        name, equals, url = line.partition("=")
        if not equals or "://" in name:
            raise ValueError("each line has to be name=url")
        found[name.strip()] = url.strip()
    return found


def _of_file(file: str) -> dict[str, str]:
    if not file:
        return {}
    try:
        content = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise ValueError("the file is not TOML") from None
    return _named(content.get("connections", content))


def _named(given: Any) -> dict[str, str]:
    if not isinstance(given, Mapping):
        return {}
    urls = {str(name): v.get("url") if isinstance(v, Mapping) else v for name, v in given.items()}
    return {name: url.strip() for name, url in urls.items() if isinstance(url, str)}
