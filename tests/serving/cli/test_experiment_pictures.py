"""`nbo experiment analyse --out`: the effect as it became known, drawn and told."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.serving.cli.conftest import Done

HEADER = "arm,sold,visits,day,place,agent\n"
SOLD = ("--metric", "sold:binary")


def a_file(units: int = 900, arms: tuple[str, ...] = ("none", "mail")) -> str:
    """Units in the order in which they came, thirty a day."""
    rng, lines = np.random.default_rng(5), []
    for number in range(units):
        sold, day = int(rng.random() < 0.3), np.datetime64("2026-01-01") + number // 30
        lines.append(f"{arms[number % len(arms)]},{sold},{1 + number % 3},{day},{number},a{number % 40}\n")
    return HEADER + "".join(lines)


CSV = a_file()


def shuffled(text: str) -> str:
    header, *lines = text.splitlines(keepends=True)
    return header + "".join(np.random.default_rng(6).permutation(lines))


@pytest.fixture
def drawn(tmp_path: Path, experiment: Callable[..., Done]) -> Callable[..., Done]:
    """Runs `nbo experiment analyse --out` on the text of a file."""

    def run(text: str, *options: str) -> Done:
        path = tmp_path / "test.csv"
        path.write_text(text, encoding="utf-8")
        command = ("analyse", str(path), "--arm", "arm", "--control", "none")
        return experiment(*command, "--out", str(tmp_path / "out"), *options)

    return run


def looks(done: Done) -> list[dict[str, Any]]:
    """The looks of the first treatment arm."""
    found: list[dict[str, Any]] = done.document["over_time"]["arms"][0]["looks"]
    return found


@pytest.mark.parametrize(
    "options",
    [SOLD, ("--metric", "visits:mean"), ("--metric", "sold:ratio=visits"), (*SOLD, "--cluster", "agent"),
     (*SOLD, "--covariate", "visits"), (*SOLD, "--planned-n", "2000", "--alpha", ".1")],
)  # fmt: skip
def test_the_last_look_is_the_read_out_itself(options: tuple[str, ...], drawn: Callable[..., Done]) -> None:
    done = drawn(CSV, *options, "--json")
    last = looks(done)[-1]
    for name, found in done.document["metrics"][0]["absolute"].items():
        assert last[name] == pytest.approx(found)
    assert (last["units"], len(looks(done)) > 100) == (900, True)


def test_a_look_is_the_read_out_of_the_units_so_far(drawn: Callable[..., Done]) -> None:
    early = next(look for look in looks(drawn(CSV, *SOLD, "--planned-n", "900", "--json")) if look["units"] >= 300)
    first = "".join(CSV.splitlines(keepends=True)[: early["units"] + 1])
    alone = drawn(first, *SOLD, "--planned-n", "900", "--json").document["metrics"][0]["absolute"]
    assert early["always_valid"] == pytest.approx(alone["always_valid"])
    assert early["always_valid"]["low"] < early["fixed"]["low"]


def test_units_are_put_in_the_order_of_their_time(drawn: Callable[..., Done]) -> None:
    in_order = looks(drawn(CSV, *SOLD, "--over", "day", "--json"))
    assert looks(drawn(shuffled(CSV), *SOLD, "--over", "day", "--json")) == in_order
    assert [(look["units"], look["at"]) for look in in_order[:2]] == [(30, "2026-01-01"), (60, "2026-01-02")]
    assert len(in_order) == 30, "the units of one day are not parted"


def test_numbers_are_an_order_too(drawn: Callable[..., Done]) -> None:
    in_order = looks(drawn(CSV, *SOLD, "--json"))
    by_place = looks(drawn(shuffled(CSV), *SOLD, "--over", "place", "--json"))
    assert [look["estimate"] for look in by_place] == [look["estimate"] for look in in_order]


def test_times_with_zones_are_compared_as_moments(drawn: Callable[..., Done]) -> None:
    rows = ["2026-01-01T10:00:00+08:00", "2026-01-01T03:00:00Z", "2026-01-01T04:00:00+00:00"]
    lines = [f"{arm},{k % 2},1,{rows[k % 3]},0,a\n" for k in range(60) for arm in ("none", "mail")]
    found = looks(drawn(HEADER + "".join(lines), *SOLD, "--over", "day", "--json"))
    assert [look["at"] for look in found] == rows
    assert [look["units"] for look in found] == [40, 80, 120]


def test_every_treatment_has_its_pictures_and_the_output_names_them(drawn: Callable[..., Done], tmp_path: Path) -> None:
    text = a_file(arms=("none", "a/b", "a b"))
    document = drawn(text, *SOLD, "--json").document
    named = [path for arm in document["over_time"]["arms"] for path in arm["pictures"]]
    assert [Path(path).name for path in named] == [
        "effect-1-a-b.svg", "effect-1-a-b.png", "effect-2-a-b.svg", "effect-2-a-b.png",
    ]  # fmt: skip
    output = drawn(text, *SOLD).output
    assert [path for path in named if f"  {path}\n" not in output or not Path(path).is_file()] == []


def test_which_order_was_taken_is_said(drawn: Callable[..., Done]) -> None:
    assert "units in the order of the rows (--over names a column with their time):" in drawn(CSV, *SOLD).output
    assert "units in the order of day:" in drawn(CSV, *SOLD, "--over", "day").output


def test_the_picture_says_what_each_line_may_be_read_for(drawn: Callable[..., Done], tmp_path: Path) -> None:
    drawn(CSV, *SOLD, "--over", "day", "--alpha", ".1")
    text = (tmp_path / "out" / "effect-1-mail.svg").read_text(encoding="utf-8")
    words = ("sold: mail against none", "Units so far, over all arms, in the order of day", "planned end",
             "Change in sold, percentage points", "90 % interval that holds at every look",
             "90 % interval for one look: holds at the planned end alone")  # fmt: skip
    assert [word for word in words if word not in text] == []


def test_names_with_dollars_are_no_formulas(drawn: Callable[..., Done], tmp_path: Path) -> None:
    drawn(CSV.replace("mail", "$100 - $200"), *SOLD)
    (picture,) = (tmp_path / "out").glob("*.svg")
    assert ">sold: $100 - $200 against none<" in re.sub(r"\s+", " ", picture.read_text(encoding="utf-8"))


def test_a_failed_split_draws_nothing(drawn: Callable[..., Done], tmp_path: Path) -> None:
    done = drawn(CSV, *SOLD, "--weights", "none=.3,mail=.7")
    assert "No picture is drawn" in done.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("row", "time", "said"),
    [
        (9, "", "line 11, column day: '' is not a time (ISO 8601) without a time zone like the first row."),
        (9, "soon", "line 11, column day: 'soon' is not a time (ISO 8601) without a time zone like the first row."),
        (9, "2026-01-01T00:00Z", "is not a time (ISO 8601) without a time zone like the first row."),
        (9, "7", "'7' is not a time (ISO 8601) without"),
        (0, "7", "line 3, column day: '2026-01-01' is not a number like the first row."),
        (0, "soon", "line 2, column day: 'soon' is not a time (ISO 8601) or a number."),
    ],
)
def test_what_is_no_time_is_one_line(row: int, time: str, said: str, drawn: Callable[..., Done]) -> None:
    lines = CSV.splitlines(keepends=True)
    lines[row + 1] = lines[row + 1].replace("2026-01-01", time)
    done = drawn("".join(lines), *SOLD, "--over", "day")
    assert (done.code, done.output, len(done.errors.splitlines())) == (1, "", 1)
    assert said in done.errors


def test_an_order_without_a_picture_is_wrong_usage(experiment: Callable[..., Done]) -> None:
    done = experiment("analyse", "f.csv", "--arm", "arm", "--control", "none", *SOLD, "--over", "day")
    assert done.code == 2
