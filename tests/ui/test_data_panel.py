"""The data on the page: what is in the open while a big file is converted."""

import shutil

import pandas as pd
from streamlit.testing.v1 import AppTest

from agents.assistant import Assistant
from tests.agents.conftest import with_sample
from tests.browser.conftest import ROOT


def page(session_id: str) -> None:
    from agents.assistant import current
    from storage.keys import SessionKey
    from ui import data_panel

    key = SessionKey("agents", "ann", session_id)
    data_panel.early(current(), key, current().datasets(key)[-1])


def test_rows_and_columns_are_in_the_open_while_a_file_is_converted(made: Assistant) -> None:
    key = with_sample(made)
    (dataset,) = made.datasets(key)
    shutil.copy(dataset.table_path, dataset.sample_path)
    made.store.datasets.update(dataset, state="converting", exact=False, rows=6_100)
    shown = AppTest.from_function(page, args=(key.session_id,), default_timeout=30).run()
    assert not shown.exception
    rows, columns = (element.value for element in shown.dataframe)
    orders = pd.read_csv(ROOT / "samples" / "orders.csv")
    assert rows["revenue"].tolist() == orders["revenue"].head(200).tolist()
    assert columns["Column"].tolist() == orders.columns.tolist()
    assert shown.caption[0].value == "The first rows; answers will use all of them."
