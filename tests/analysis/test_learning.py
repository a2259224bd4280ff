"""Models, clusters and odd rows: known answers, warnings, scikit-learn's numbers, files that are checked."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from analysis.engine import Engine, result_table
from analysis.errors import (
    AnalysisError,
    BadValue,
    ConstantColumn,
    TooFew,
    UnknownColumn,
    UnknownModel,
    UnknownOption,
)
from analysis.learning.training import train_model
from analysis.learning.unsupervised import cluster, components, odd_rows
from analysis.learning.using import evaluate_model, find_model, list_models, predict
from analysis.series.forecasting import forecast
from analysis.statistics.regression import regression
from sandbox.table import Table
from storage.models import Models
from storage.results import Result
from tests.analysis.conftest import KEY, Load

RANDOM = np.random.default_rng(11)
N = 400
ROOMS = RANDOM.integers(1, 8, N)
FLATS = pd.DataFrame(
    {
        "flat_id": range(N),
        "rooms": ROOMS,
        "area": 20 * ROOMS + RANDOM.normal(0, 5, N),
        "street": RANDOM.choice(["Elm", "Oak", "Ash"], N),
        "rent": 100 * ROOMS + RANDOM.normal(0, 20, N),
        "rent_in_cents": 0.0,
        "sold": RANDOM.random(N) < 0.5,
        "note": [f"note {i}" for i in range(N)],
    }
)
FLATS["rent_in_cents"] = FLATS["rent"] * 100
FLATS["large"] = np.where(FLATS["rooms"] > 4, "yes", "no")
FEATURES = ["rooms", "area", "street"]


@pytest.fixture(scope="module")
def flats(load: Load) -> Engine:
    return load(flats=FLATS)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def rent(flats: Engine, models: Models) -> Result:
    """A linear model of the rent, so that its predictions are known."""
    return train_model(flats, models, KEY, "rent", FEATURES, algorithm="linear")


def test_a_model_is_compared_tested_and_kept(rent: Result, models: Models) -> None:
    facts = rent.facts
    assert rent.kind == "model" and facts["algorithm"] == "linear" and facts["beats_baseline"]
    assert facts["score"] == pytest.approx(16, abs=4) and facts["baseline_score"] > 100
    assert (facts["train_rows"], facts["test_rows"]) == (320, 80)
    assert facts["most_important"][0]["feature"] == "rooms"
    assert facts["interval_half_width"] == pytest.approx(33, abs=10)
    assert {r["model"] for r in result_table(rent).records()} == {"baseline", "linear"}
    stored = rent.output["model"]
    path = models.path(KEY, stored["sha256"])
    assert path.stat().st_size == stored["size"]
    assert any("exported conversation can train it again" in note for note in rent.notes)


def test_it_predicts_values_with_an_interval_and_says_what_it_assumes(
    flats: Engine, models: Models, rent: Result
) -> None:
    result = predict(flats, models, KEY, rent, {"ROOMS": 3, "area": "60", "street": "elm"})
    row = result_table(result).records()[0]
    assert row["predicted rent"] == pytest.approx(300, abs=15)
    assert row["low"] < 300 < row["high"] and result.parents == [rent.id]
    assert row["street"] == "Elm" and not [n for n in result.notes if "typical" in n or "not seen" in n]
    odd = predict(flats, models, KEY, rent, {"rooms": 90, "street": "Moon", "colour": "red"})
    said = " ".join(odd.notes)
    assert "typical values are assumed: area" in said and "not seen in training: Moon" in said
    assert "outside of the 1 to 7" in said and "does not know them: colour" in said
    with pytest.raises(BadValue, match="rooms is a number; 'many' is not"):
        predict(flats, models, KEY, rent, {"rooms": "many"})
    with pytest.raises(UnknownColumn, match="Give values for some of: rooms, area, street"):
        predict(flats, models, KEY, rent, {"colour": "red"})


def test_it_predicts_another_upload_or_says_what_is_wrong_with_it(
    flats: Engine, models: Models, rent: Result, load: Load
) -> None:
    fresh = pd.DataFrame({"area": [60.0, None], "rooms": [3, 5], "street": ["Elm", "New"], "extra": [1, 2]})
    result = predict(load(fresh=fresh), models, KEY, rent)
    found = result_table(result).column("predicted rent")
    assert found == pytest.approx([300, 500], abs=40) and result.facts["n"] == 2
    said = " ".join(result.notes)
    assert "does not know them: extra" in said and "area is missing in 1 row(s)" in said
    with pytest.raises(UnknownColumn, match="lacks rooms, which the model of rent needs"):
        predict(load(lacking=fresh.drop(columns="rooms")), models, KEY, rent)
    with pytest.raises(BadValue, match="takes rooms as a number, and in odd"):
        predict(load(odd=fresh.assign(rooms=["three", "five"])), models, KEY, rent)
    everything = predict(flats, models, KEY, rent)
    assert everything.facts["mean"] == pytest.approx(FLATS["rent"].mean(), rel=0.02)


def test_its_test_is_of_the_rows_it_never_saw(flats: Engine, models: Models, rent: Result) -> None:
    again = evaluate_model(flats, models, KEY, rent)
    assert again.facts["n"] == 80
    assert again.facts["scores"] == pytest.approx(rent.facts["scores"])
    assert again.facts["inside_interval"] >= 0.9 and again.parents == [rent.id]
    part = evaluate_model(
        flats, models, KEY, rent, where=[{"column": "street", "op": "equals", "value": "Elm"}]
    )
    assert part.facts["n"] == int((FLATS["street"] == "Elm").sum())


def test_leaks_ids_and_copies_are_said(flats: Engine, models: Models, load: Load) -> None:
    leaking = train_model(flats, models, KEY, "rent", algorithm="tree")
    said = " ".join(leaking.notes)
    assert "rent_in_cents alone gives rent almost exactly" in said
    assert "flat_id (it only names rows)" in said and "note (400 different texts)" in said
    copied = load(copied=pd.concat([FLATS[["rooms", "street", "large"]]] * 2))
    doubled = train_model(copied, models, KEY, "large", algorithm="tree")
    said = " ".join(doubled.notes)
    assert "test rows have an exact copy among the training rows" in said and "Almost perfect" in said


def test_a_model_of_nothing_does_not_beat_its_baseline(flats: Engine, models: Models) -> None:
    chance = train_model(flats, models, KEY, "sold", ["street", "area"], algorithm="tree")
    assert chance.facts["kind"] == "classification" and not chance.facts["beats_baseline"]
    assert any("does not beat the baseline" in note for note in chance.notes)
    guess = predict(flats, models, KEY, chance, {"street": "Oak", "area": 50})
    row = result_table(guess).records()[0]
    assert row["p(false)"] + row["p(true)"] == pytest.approx(1)
    assert guess.notes[0] == "This model did not beat its baseline."
    assert list_models(flats, [chance]).facts["newest"]["target"] == "sold"


def test_a_rare_class_is_weighed(load: Load, models: Models) -> None:
    x = RANDOM.normal(size=600)
    rare = load(rare=pd.DataFrame({"x": x, "fraud": np.where(x > 1.3, "yes", "no")}))
    result = train_model(rare, models, KEY, "fraud", ["x"], algorithm="tree")
    assert result.facts["measure"] == "balanced accuracy" and result.facts["baseline_score"] == 0.5
    assert result.facts["beats_baseline"]
    classes = {r["class"]: r for r in result_table(evaluate_model(rare, models, KEY, result)).records()}
    assert classes["true"]["recall"] > 0.9


def test_time_is_tested_forwards(load: Load, models: Models) -> None:
    days = pd.date_range("2024-01-01", periods=200, freq="D")
    timed = load(timed=pd.DataFrame({"day": days, "x": range(200), "y": np.arange(200) * 2.0 + NOISE[:200]}))
    result = train_model(timed, models, KEY, "y", ["x"], algorithm="linear")
    assert any("Tested on the newest fifth by day" in note for note in result.notes)
    assert evaluate_model(timed, models, KEY, result).facts["scores"] == pytest.approx(result.facts["scores"])
    shuffled = train_model(timed, models, KEY, "y", ["x"], algorithm="linear", by_time=False)
    assert any("picked at random" in note for note in shuffled.notes)


NOISE = RANDOM.normal(0, 1, 400)


def test_a_model_is_used_only_from_our_store_and_unchanged(
    flats: Engine, models: Models, rent: Result, tmp_path: Path
) -> None:
    for sha256, words in [("../../etc/passwd", "not here"), ("0" * 64, "not here")]:
        forged = Result(
            **{**vars(rent), "output": rent.output | {"model": rent.output["model"] | {"sha256": sha256}}}
        )
        with pytest.raises(UnknownModel, match=words):
            predict(flats, models, KEY, forged, {"rooms": 3})
    own = Models(tmp_path)
    sha256 = own.save(KEY, b"a model")
    assert own.path(KEY, sha256).read_bytes() == b"a model"
    own.path(KEY, sha256).write_bytes(b"another")
    changed = Result(
        **{**vars(rent), "output": rent.output | {"model": rent.output["model"] | {"sha256": sha256}}}
    )
    with pytest.raises(UnknownModel, match="was changed"):
        predict(flats, own, KEY, changed, {"rooms": 3})
    own.delete(KEY)
    assert not list(tmp_path.iterdir())


def test_models_are_found_by_id_and_target(rent: Result) -> None:
    assert find_model([rent], "") is find_model([rent], "RENT") is find_model([rent], rent.id[:8]) is rent
    with pytest.raises(UnknownModel, match="There are models of: rent"):
        find_model([rent], "price")
    with pytest.raises(UnknownModel, match="No model was trained"):
        find_model([], "")


def test_what_cannot_be_learnt_is_said(flats: Engine, models: Models, load: Load) -> None:
    few: list[Any] = [{"column": "flat_id", "op": "less_than", "value": 20}]
    cases: list[tuple[type[AnalysisError], str, dict[str, Any]]] = [
        (TooFew, "at least 30", {"target": "rent", "where": few}),
        (UnknownOption, "only names rows", {"target": "flat_id"}),
        (UnknownOption, "so it is classified", {"target": "street", "kind": "regression"}),
        (UnknownOption, "tells at most 30 apart", {"target": "note"}),
        (UnknownOption, "Name other columns", {"target": "rent", "features": ["rent"]}),
        (UnknownOption, "is no algorithm", {"target": "rent", "algorithm": "magic"}),
        (UnknownOption, "no date column", {"target": "rent", "by_time": True}),
    ]
    for error, words, given in cases:
        with pytest.raises(error, match=words):
            train_model(flats, models, KEY, **given)
    with pytest.raises(ConstantColumn, match="the same in every row"):
        train_model(load(flat=FLATS.assign(same=1)), models, KEY, "same")


def test_islands_become_clusters_and_odd_rows_come_first(load: Load) -> None:
    centres = [(0, 0), (100, 0), (0, 1000)]
    rows = [
        (x + RANDOM.normal(), y + 10 * RANDOM.normal(), k)
        for k, (x, y) in enumerate(centres)
        for _ in range(40)
    ]
    islands = load(islands=pd.DataFrame([*rows, (50, 5000, 3)], columns=["x", "y", "island"]))
    result = cluster(islands, ["x", "y"], where=[{"column": "island", "op": "less_than", "value": 3}])
    assert result.facts["clusters"] == 3 and result.facts["silhouette"] > 0.9
    assert sorted(result_table(result).column("rows")) == [40, 40, 40]
    means = sorted((round(r["mean x"], -1), round(r["mean y"], -2)) for r in result_table(result).records())
    assert means == [(0, 0), (0, 1000), (100, 0)]
    forced = cluster(islands, ["x"], clusters=2, method="hierarchical")
    assert forced.facts["clusters"] == 2 and any("were asked for" in note for note in forced.notes)
    with pytest.raises(TooFew, match="Only 4 row"):
        cluster(islands, ["x", "y"], per="island")
    odd = odd_rows(islands, ["x", "y"])
    assert result_table(odd).records()[0]["y"] == 5000 and odd.facts["mostly_by"] == "y"


def test_principal_components_are_scikit_learns(engine: Engine, orders: pd.DataFrame) -> None:
    columns = ["quantity", "unit_price", "discount"]
    result = components(engine, columns)
    expected = PCA().fit(StandardScaler().fit_transform(orders[columns]))
    table = result_table(result).to_pandas()
    assert list(table["explained %"]) == pytest.approx(list(100 * expected.explained_variance_ratio_))
    loadings = table[[f"{name} loading" for name in columns]].to_numpy()
    assert np.abs(loadings) == pytest.approx(np.abs(expected.components_), abs=1e-9)
    with pytest.raises(UnknownOption, match="two columns"):
        components(engine, ["quantity"])


def test_the_stored_code_alone_gives_the_same_numbers(
    flats: Engine, engine: Engine, models: Models, rent: Result
) -> None:
    made = [
        rent,
        regression(flats, "rent", FEATURES),
        cluster(flats, FEATURES[:2], clusters=3),
        forecast(engine, "revenue", interval="quarter", horizon=2),
        predict(flats, models, KEY, rent),
    ]
    for result in made:
        about = rent.output["model"]
        with duckdb.connect() as con:
            for dataset in [*flats.datasets, *engine.datasets]:
                con.execute(f"CREATE OR REPLACE VIEW {dataset.name} AS SELECT * FROM '{dataset.table_path}'")
            scope: dict[str, Any] = {
                "con": con, "files": {"model": str(models.path(KEY, about["sha256"]))},
            }  # fmt: skip
            exec(result.code, scope)
        again = scope["output"]["table"]
        stored = Table.from_json(result.output["table"]).to_pandas()
        assert list(again.columns) == list(stored.columns) and len(again) == len(stored) > 0
        for name in again.columns:
            ours, theirs = list(stored[name]), list(again[name])
            if all(isinstance(value, float) for value in theirs):
                assert ours == pytest.approx(theirs, nan_ok=True), (result.title, name)
            else:
                assert [str(v)[:10] for v in ours] == [str(v)[:10] for v in theirs], (result.title, name)
        assert {"statsmodels", "scikit-learn", "scipy"} <= set(result.engine)
