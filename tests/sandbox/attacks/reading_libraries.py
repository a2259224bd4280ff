"""Files read and written by the libraries: DuckDB, pandas, pyarrow, numpy, matplotlib and their like."""

from collections.abc import Mapping

from tests.sandbox.attacks.attack import Attack, Seen
from tests.sandbox.attacks.stage import Stage


def secret(stage: Stage) -> Mapping[str, object]:
    return {"path": stage.secret("secret.csv"), "folder": str(stage.folder), "new": stage.outside()}


def database(stage: Stage) -> Mapping[str, object]:
    return {"path": stage.database()}


def wrote(stage: Stage, seen: Seen) -> bool:
    return stage.wrote()


LIBRARIES = [
    Attack("DuckDB's read_csv", "con.sql(f\"FROM read_csv('{$path}', header=false)\").fetchall()", secret),
    Attack("DuckDB's read_text", "con.sql(f\"SELECT content FROM read_text('{$path}')\").fetchall()", secret),
    Attack("DuckDB's read_blob", "con.sql(f\"SELECT content FROM read_blob('{$path}')\").fetchall()", secret),
    Attack("DuckDB's glob", "won(con.sql(f\"FROM glob('{$folder}/*.csv')\").fetchall())", secret),
    Attack("DuckDB's replacement scan", "str(con.sql(f\"FROM '{$path}'\").columns)", secret),
    Attack(
        "DuckDB's COPY to a file",
        "con.execute(f\"COPY (SELECT '{TOKEN}') TO '{$new}' (FORMAT csv)\")",
        secret,
        wrote,
    ),
    Attack(
        "DuckDB's COPY from a file",
        """
        con.execute("CREATE TABLE planted (line VARCHAR)")
        con.execute(f"COPY planted FROM '{$path}' (HEADER false)")
        con.sql("FROM planted").fetchall()
        """,
        secret,
    ),
    Attack(
        "DuckDB's ATTACH",
        "con.execute(f\"ATTACH '{$new}' AS theirs\"); con.execute('CREATE TABLE theirs.t (a INT)'); won()",
        secret,
    ),
    Attack(
        "DuckDB's EXPORT",
        "con.execute(f\"CREATE TABLE t AS SELECT '{TOKEN}' a; EXPORT DATABASE '{$new}.d'\")",
        secret,
        lambda stage, seen: stage.wrote("planted.txt.d/t.csv"),
    ),
    Attack(
        "DuckDB's log",
        """
        import os
        con.execute(f"CALL enable_logging(storage='file', storage_path='{$folder}/log')")
        con.sql("SELECT 1").fetchall()
        won(os.listdir($folder + "/log"))
        """,
        secret,
    ),
    Attack(
        "DuckDB opened anew",
        """
        import duckdb
        duckdb.connect().sql(f"SELECT content FROM read_text('{$path}')").fetchall()
        """,
        secret,
    ),
    Attack(
        "DuckDB opened on a file outside",
        """
        import duckdb
        duckdb.connect($new).execute(f"CREATE TABLE t AS SELECT '{TOKEN}' AS a")
        won()
        """,
        secret,
    ),
    Attack(
        "DuckDB's settings loosened",
        """
        con.execute("SET enable_external_access = true")
        con.sql(f"SELECT content FROM read_text('{$path}')").fetchall()
        """,
        secret,
        fails_anyway="cannot be switched on while the database runs",
    ),
    Attack(
        "DuckDB's temporary files outside",
        """
        con.execute(f"SET temp_directory = '{$folder}/spill'")
        con.execute("SET memory_limit = '40MB'")
        con.execute("SET threads = 1")
        con.execute("CREATE TEMP TABLE big AS SELECT hash(range) h, uuid()::VARCHAR u FROM range(2000000)")
        import os
        won(os.listdir($folder + "/spill"))
        """,
        secret,
    ),
    Attack(
        "DuckDB's own file functions for Python",
        "import duckdb; won(len(duckdb.read_csv($path, header=False)) and False); "
        "show(duckdb.read_csv($path, header=False).fetchall())",
        secret,
    ),
    Attack("pandas' read_csv", "import pandas; pandas.read_csv($path, header=None)", secret),
    Attack(
        "pandas' read_csv with pyarrow",
        "import pandas; show(str(pandas.read_csv($path, header=None, engine='pyarrow')))",
        secret,
    ),
    Attack(
        "pandas' read_table", "import pandas; str(pandas.read_table($path, header=None).iloc[0, 0])", secret
    ),
    Attack(
        "pandas' read_sql",
        "import pandas, sqlite3; pandas.read_sql('SELECT * FROM events', sqlite3.connect($path))",
        database,
    ),
    Attack(
        "pandas' file URL",
        "import pandas; pandas.read_csv('file://' + $path, header=None)",
        secret,
    ),
    Attack("pandas' to_csv", "import pandas; pandas.DataFrame({TOKEN: [1]}).to_csv($new)", secret, wrote),
    Attack(
        "pandas' to_pickle and to_parquet",
        "import pandas; pandas.DataFrame({TOKEN: [1]}).to_pickle($new)",
        secret,
        wrote,
    ),
    Attack(
        "urllib's file URL", "import urllib.request as u; show(u.urlopen('file://' + $path).read())", secret
    ),
    Attack("numpy's loadtxt", "import numpy; str(numpy.loadtxt($path, dtype=str))", secret),
    Attack("numpy's fromfile", "import numpy; numpy.fromfile($path, dtype='u1').tobytes().decode()", secret),
    Attack("numpy's memmap", "import numpy; bytes(numpy.memmap($path, mode='r')).decode()", secret),
    Attack(
        "numpy's tofile",
        "import numpy; numpy.frombuffer(TOKEN.encode(), 'u1').tofile($new)",
        secret,
        wrote,
    ),
    Attack(
        "pyarrow's csv",
        "import pyarrow.csv as c; str(c.read_csv($path).column_names)",
        lambda stage: {"path": two_lines(stage)},
    ),
    Attack(
        "pyarrow's file system",
        "import pyarrow.fs as fs; fs.LocalFileSystem().open_input_file($path).read().decode()",
        secret,
    ),
    Attack("pyarrow's memory map", "import pyarrow as pa; pa.memory_map($path).read().decode()", secret),
    Attack(
        "pyarrow's writing",
        "import pyarrow.fs as fs; fs.LocalFileSystem().open_output_stream($new).write(TOKEN.encode())",
        secret,
        wrote,
    ),
    Attack(
        "matplotlib's savefig",
        """
        import matplotlib
        matplotlib.use("agg")
        import matplotlib.pyplot as plt
        plt.figure().savefig($new, format="svg", metadata={"Title": TOKEN})
        """,
        secret,
        wrote,
    ),
    Attack(
        "plotly's write_html",
        "import plotly.graph_objects as go\n"
        "go.Figure(layout_title=TOKEN).write_html($new, include_plotlyjs=False)",
        secret,
        wrote,
    ),
    Attack(
        "a file read by zipfile",
        """
        import zipfile
        with zipfile.ZipFile("z.zip", "w") as z: z.write($path, "a")
        show(zipfile.ZipFile("z.zip").read("a").decode())
        """,
        secret,
    ),
    Attack(
        "a file unpacked outside",
        """
        import io, tarfile
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as tar:
            entry = tarfile.TarInfo($new)
            entry.size = len(TOKEN)
            tar.addfile(entry, io.BytesIO(TOKEN.encode()))
        made.seek(0)
        tarfile.open(fileobj=made).extractall(".", filter="fully_trusted")
        """,
        secret,
        wrote,
    ),
    Attack(
        "a log file outside",
        "import logging; logging.basicConfig(filename=$new); logging.error(TOKEN)",
        secret,
        wrote,
    ),
]


def two_lines(stage: Stage) -> str:
    """A file whose first line is the token."""
    return stage.secret("two.csv")
