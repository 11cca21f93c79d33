"""``python -m benchmarks.same_answers FOLDER``: whether ClickHouse answers as DuckDB does, and how long each takes."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from poolwitness.logreport import queries
from poolwitness.logreport.answers import create_views
from poolwitness.logreport.reading.reader import read_sources as read
from poolwitness.logreport.reading.sources import find_sources as sources
from poolwitness.logreport.store import Store
from tests.support.clickhouse import ClickHouse

AT_A_TIME = 50  # files: ClickHouse is given them as one table of lines


def main() -> int:
    """Read the folder by both and compare; the exit status is 1 where an answer differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.same_answers", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="what benchmarks.fleet wrote")
    folder = parser.parse_args().folder
    logs = sorted(folder.glob("*.log"))
    differ = 0
    with Store() as duck, tempfile.TemporaryDirectory() as place:
        begun = time.perf_counter()
        tally = read(sources([str(folder)]), duck)
        create_views(duck)
        print(f"DuckDB has read {tally.events:,} events in {time.perf_counter() - begun:.0f} s", flush=True)
        house = ClickHouse(Path(place))
        begun = time.perf_counter()
        for first in range(0, len(logs), AT_A_TIME):
            house.load(*logs[first : first + AT_A_TIME])
        print(f"ClickHouse has read them in {time.perf_counter() - begun:.0f} s", flush=True)
        for view in queries.VIEWS:
            house.session.query(queries.sql(view))
        # DuckDB leaves out a clock that is ahead by days; here both are asked about the newest event.
        duck.connection.execute(queries.sql("window").replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))
        for question in queries.QUERIES:
            answers, times = [], []
            for store in (duck, house):
                begun = time.perf_counter()
                answers.append(store.rows(queries.sql(question)))
                times.append(time.perf_counter() - begun)
            same = answers[0] == answers[1]
            differ += not same
            print(
                f"{question}: {len(answers[0])} rows, {'the same' if same else 'NOT THE SAME'}; "
                f"DuckDB {times[0]:.1f} s, ClickHouse {times[1]:.1f} s",
                flush=True,
            )
        house.session.close()
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
