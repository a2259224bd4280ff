"""Proposed joins: the right keys by name and values, no accidental ones, and keys without a partner."""

import numpy as np
import pandas as pd
import pytest

from analysis.engine import Engine
from analysis.joins import JoinProposal, propose_joins, unmatched_keys
from tests.analysis.conftest import Load

ROWS = 3_000


@pytest.fixture(scope="module")
def shop(load: Load) -> Engine:
    """Orders point to customers, products and stations; sensors have nothing to do with them."""
    random = np.random.default_rng(2)
    customers = [f"C{number:05}" for number in range(1, 901)]
    orders = pd.DataFrame(
        {
            "id": np.arange(1, ROWS + 1),
            "customer_id": random.choice([*customers[:600], "C99999"], ROWS),
            "product": random.integers(500, 700, ROWS),
            "home_station": random.choice(["Kiel", "Bonn", "Ulm", "Linz"], ROWS),
            "quantity": random.integers(1, 12, ROWS),
        }
    )
    return load(
        orders=orders,
        customers=pd.DataFrame({"id": customers, "segment": random.choice(list("AB"), 900)}),
        products=pd.DataFrame({"product_id": np.arange(500, 720), "price": random.random(220).round(3)}),
        stations=pd.DataFrame({"name": ["Kiel", "Bonn", "Ulm", "Linz", "Graz"], "height": [1, 2, 3, 4, 5]}),
        sensors=pd.DataFrame({"id": np.arange(1, 51), "level": np.arange(1, 51) * 3}),
    )


def test_keys_are_found_by_names_and_shared_values(shop: Engine) -> None:
    proposals = propose_joins(shop.datasets)
    found = {(p.left, p.left_on, p.right, p.right_on) for p in proposals}
    assert found == {
        ("orders", ("customer_id",), "customers", ("id",)),
        ("orders", ("product",), "products", ("product_id",)),
        ("orders", ("home_station",), "stations", ("name",)),
    }
    assert [p.score for p in proposals] == sorted((p.score for p in proposals), reverse=True)
    customer = next(p for p in proposals if p.right == "customers")
    assert customer.shared == pytest.approx(600 / 601, abs=0.1)
    assert customer.text.startswith("orders with customers by customer_id = id; about ")


def test_keys_without_a_partner_are_shown(shop: Engine) -> None:
    proposal = JoinProposal("orders", "customers", ("customer_id",), ("id",))
    left, right = unmatched_keys(shop, proposal, limit=3)
    assert left == [["C99999"]] and len(right) == 3
    ordered = shop.sql(
        "SELECT DISTINCT customer_id FROM orders", title="", tool="", arguments={}, datasets=[]
    )
    assert not {row[0] for row in right} & {row[0] for row in ordered.output["table"]["rows"]}
    assert right == sorted(right)


def test_the_better_of_two_keys_is_proposed_alone(load: Load) -> None:
    codes = [f"k{number}" for number in range(300)]
    one = pd.DataFrame({"customer_id": codes * 2, "former_customer_id": [f"x{n}" for n in range(600)]})
    two = pd.DataFrame({"customer_id": codes, "age": range(300)})
    (proposal,) = propose_joins(load(visits=one, people=two).datasets)
    assert (proposal.left, proposal.left_on, proposal.shared) == ("visits", ("customer_id",), 1.0)


def test_keys_that_repeat_in_both_tables_are_proposed_with_a_warning(load: Load) -> None:
    one = pd.DataFrame({"customer_id": np.arange(90) % 30, "amount": np.arange(90) % 11})
    two = pd.DataFrame({"customer_id": np.arange(60) % 20, "amount": np.arange(60) % 13})
    (proposal,) = propose_joins(load(sold=one, paid=two).datasets)
    assert proposal.left_on == ("customer_id",) and proposal.many
    assert proposal.text.endswith("; they repeat in both, so rows would multiply")


def test_without_profiles_names_and_ranges_decide(load: Load) -> None:
    def make(start: int) -> pd.DataFrame:
        return pd.DataFrame({"customer_id": np.arange(start, start + 40), "v": np.arange(40) % 7})

    near = load(early=make(1), late=make(20)).datasets
    far = load(first=make(2), last=make(5_000)).datasets
    for dataset in (*near, *far):
        dataset.profile_path.unlink()
    assert [(p.left_on, p.shared) for p in propose_joins(near)] == [(("customer_id",), None)]
    assert propose_joins(far) == []
    assert propose_joins([]) == [] == propose_joins(near[:1])
