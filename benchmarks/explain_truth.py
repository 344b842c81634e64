"""Planted truth: what the explanation finds in data whose answer is known, and how often it claims an effect that is not there.

Each part plants an effect (clusters, a failing slice, noise on one joint, wrong labels, a named component), runs the code of
the project on it, and counts the data sets in which the answer is right; null data sets contain no effect. The bars are:

    clusters        of 78 null data sets of 13 kinds at most 2 are called clusters; planted clusters of 80, 15 and 5 % of the
                    persons are found in 9 of 10 data sets, a planted kind of 2 % in 8 of 10
    components      components are named by the planted attribute, also where another one is unknown for most persons
    failure_slices  a slice of 8 % of 2,000 persons with a PCK lower by 0.3 is found (precision and recall 0.8) in 45 of 50 data
                    sets, at most 3 of 50 null data sets get a claim, a planted confounder is named
    uncertainty     over 50 splits by photograph 88 to 92 % of all joints lie within the 90 % radius, at least 85 % of each
                    joint; noise planted on one joint widens the radius of that joint and of no other
    label_errors    of 5 % swapped and of 5 % displaced joints at least 60 % are among the top 5 % of persons

    python benchmarks/explain_truth.py [--only clusters failure_slices] [--most 5]

`--most` bounds the data sets per bar, for a quick look; the bars hold for the full numbers. The last line is JSON: per part and
bar `count`, `of`, `bar` and `met`, and the seconds of each part.
"""

import argparse
import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

PARTS = ("clusters", "components", "failure_slices", "uncertainty", "label_errors")


def main() -> None:
    """Run the parts and print their bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts that run")
    parser.add_argument("--most", type=int, default=None, help="maximum number of data sets per bar")
    arguments = parser.parse_args()
    # The parts are modules beside this script.
    sys.path.insert(0, str(Path(__file__).parent))
    print(json.dumps({part: measure_part(part, arguments.most) for part in arguments.only}))


def measure_part(part: str, most: int | None) -> dict[str, Any]:
    """Run one part and print a line per bar.

    Args:
        part: name of a module of the folder `truth`.
        most: maximum number of data sets per bar; none: all.

    Returns:
        The bars by name, and `seconds`.
    """
    start = time.perf_counter()
    bars: dict[str, Any] = importlib.import_module(f"truth.{part}").run(most)
    for name, bar in bars.items():
        print(
            f"{part:15s} {name:40s} {bar['count']} of {bar['of']} (bar: {bar['bar']}) {'met' if bar['met'] else 'MISSED'}",
            flush=True,
        )
    return {**bars, "seconds": round(time.perf_counter() - start, 1)}


if __name__ == "__main__":
    main()
