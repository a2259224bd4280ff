"""Figures that code wrote: drawn, and without what loads, links or breaks the page."""

import json
from typing import Any

import plotly.express as px
import plotly.graph_objects as go
import pytest
from plotly.utils import PlotlyJSONEncoder

from ui import figures


def test_formatting_stays_and_links_styles_and_attributes_go() -> None:
    assert (
        figures.plain("<b>bold</b> and H<sub>2</sub>O<br>next<BR/>")
        == "<b>bold</b> and H<sub>2</sub>O<br>next<br>"
    )
    assert figures.plain('<a href="javascript:alert(1)">here</a>') == "here"
    assert figures.plain('<b style="background:url(http://evil.example)">x</b>') == "<b>x</b>"
    assert figures.plain("<span style='color:red'>red</span>") == "red"
    assert figures.plain("<img src=x onerror=alert(1)>y") == "y"


@pytest.mark.parametrize(
    "words",
    [
        '<<x y>a href="http://evil.example">z</a>',
        "<<a >a\nhref='http://evil.example'>z</a>",
        "<A\tHREF=x>z</A>",
    ],
)
def test_links_cannot_be_hidden_in_one_another(words: str) -> None:
    assert "href" not in figures.plain(words).lower()


@pytest.mark.parametrize("words", ["<unknown>", "a < b and c > d", "<NA>", "x<5", "Müller & Söhne"])
def test_other_words_stay_as_they_are(words: str) -> None:
    assert figures.plain(words) == words


def hostile() -> dict[str, Any]:
    address = "http://evil.example/pixel"
    link = f'<a href="{address}">x</a>'
    return {
        "data": [
            {"type": "bar", "x": [link], "y": [1], "hovertemplate": link, "customdata": [[link]]},
            {"type": "choropleth", "geojson": address, "locations": ["a"], "z": [1]},
            {"type": "image", "source": address},
        ],
        "layout": {
            "title": {"text": link},
            "images": [{"source": address}, {"source": "data:image/svg+xml;base64,AAAA"}],
            "map": {"style": address, "layers": [{"source": address, "sourceattribution": link}]},
            "updatemenus": [
                {"buttons": [{"method": "relayout", "args": ["images[0].source", address]}]},
                {
                    "buttons": [
                        {"method": "relayout", "args": [{"images[0].source": address, "map.style": address}]}
                    ]
                },
            ],
            "template": {"layout": {"images": [{"source": address}]}},
        },
        "frames": [{"layout": {"images": [{"source": address}]}}],
    }


def test_nothing_loads_and_nothing_links() -> None:
    cleaned = json.dumps(figures.safe(hostile()))
    assert "evil.example" not in cleaned and "href" not in cleaned and "svg" not in cleaned
    go.Figure(figures.safe(hostile()))


def test_pictures_that_are_in_the_figure_stay() -> None:
    source = "data:image/png;base64,iVBORw0KGgo="
    figure = {"data": [], "layout": {"images": [{"source": source}]}}
    assert figures.safe(figure)["layout"]["images"][0]["source"] == source


def test_an_honest_figure_stays_as_it_is_but_for_its_template() -> None:
    made = json.loads(px.bar(x=["North", "<other>"], y=[1.5, 2], title="Revenue <b>2024</b>").to_json())
    cleaned = figures.safe(made)
    assert cleaned["data"] == made["data"]
    assert cleaned["layout"] == {k: v for k, v in made["layout"].items() if k != "template"}


def test_sizes_fit_the_page() -> None:
    layout = figures.safe(
        {"data": [], "layout": {"width": 1e9, "height": 1e9, "margin": {"l": -5, "t": 1e6}}}
    )["layout"]
    assert "width" not in layout
    assert layout["height"] == figures.MAX_PIXELS
    assert layout["margin"] == {"l": 0, "t": figures.MAX_MARGIN}


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else 1


@pytest.mark.parametrize(
    "figure",
    [
        3,
        {"data": [], "layout": [1]},
        {"data": [{"customdata": nested(60)}]},
        {"data": [{"type": "bar", "y": [1] * (figures.MAX_VALUES + 1)}]},
        {"data": [{"type": "bar", "y": {"dtype": "f8", "bdata": "A" * (8 * figures.MAX_VALUES + 8)}}]},
    ],
    ids=["number", "layout", "deep", "long", "long bytes"],
)
def test_absurd_figures_are_refused(figure: Any) -> None:
    with pytest.raises(ValueError):
        figures.safe(figure)


def test_default_colours_become_the_pages() -> None:
    bars = px.bar(x=["a", "b"], y=[1, 2], color=["a", "b"]).to_plotly_json()
    cleaned = figures.safe(json.loads(json.dumps(bars, cls=PlotlyJSONEncoder)))
    assert [trace["marker"]["color"] for trace in cleaned["data"]] == ["#000001", "#000002"]
