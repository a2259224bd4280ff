"""What the warm process does once, so that the first run of every conversation finds it done."""

CODE = """
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import plotly.express as px

frame = pd.DataFrame({"group": list("abab"), "value": [1.0, 2.0, 3.0, 4.0]})
frame.groupby("group", as_index=False)["value"].sum()
for draw in (px.bar, px.line, px.scatter):
    show(draw(frame, x="group", y="value", color="group"))
show(px.histogram(frame, x="value"))
show(frame)
plt.plot([1, 2], [3, 4])
"""


def run() -> None:
    """Runs typical code in a notebook that is thrown away."""
    from sandbox.notebook import Notebook

    Notebook(512, 1).run(CODE, {})
