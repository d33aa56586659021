"""`nbo experiment` as a user runs it."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.serving.cli.conftest import Done

CSV = "customer,arm,sold,spent,visits,past,agent\n" + "".join(
    f"c{n},{'mail' if n % 2 else 'none'},{int(n % 5 == 0 or n % 7 == 1)},{n % 11}.5,{1 + n % 3},{n % 13},a{n % 37}\n"
    for n in range(400)
)
LINE_8 = "c6,none,0,6.5,1,6,a6\n"
SOLD = ("--metric", "sold:binary")


@pytest.fixture
def analyse(tmp_path: Path, experiment: Callable[..., Done]) -> Callable[..., Done]:
    """Runs `nbo experiment analyse` on the text of a file."""

    def run(text: str, *options: str) -> Done:
        path = tmp_path / "test.csv"
        path.write_text(text, encoding="utf-8")
        return experiment("analyse", str(path), "--arm", "arm", "--control", "none", *options)

    return run


def test_every_kind_of_metric_is_read_out(analyse: Callable[..., Done]) -> None:
    kinds = ("--metric", "spent:mean", "--metric", "spent:ratio=visits")
    document = analyse(CSV, *SOLD, *kinds, "--covariate", "past", "--json").document
    assert [(m["name"], m["kind"], m["arm"]) for m in document["metrics"]] == [
        ("sold", "binary", "mail"), ("spent", "mean", "mail"), ("spent", "ratio", "mail"),
    ]  # fmt: skip
    rows = [line.split(",") for line in CSV.splitlines()[1:]]
    spent, visits = (np.array([[float(r[c]) for r in rows if r[1] == arm] for arm in ("none", "mail")]) for c in (3, 4))
    found = [m["absolute"]["estimate"] for m in document["metrics"][1:]]
    ratios = spent.sum(axis=1) / visits.sum(axis=1)
    assert found == pytest.approx([spent[1].mean() - spent[0].mean(), ratios[1] - ratios[0]])


def test_readable_lines_say_the_same_in_words(analyse: Callable[..., Done]) -> None:
    output = analyse(CSV, *SOLD, "--metric", "spent:mean", "--covariate", "past", "--alpha", ".1").output
    assert output.startswith("Split: as designed (p = 1.0000 for one look, 1.0000 at any time).\n")
    for said in ("Not decided: mail may raise or lower sold", "90 % at any time", "CUPED takes", "2 comparisons"):
        assert said in output


def test_a_failed_split_hides_the_results_behind_the_reason(analyse: Callable[..., Done]) -> None:
    done = analyse(CSV, *SOLD, "--weights", "none=.4,mail=.6")
    assert done.output.startswith("Split: FAILED. The arms' units do not fit their weights (p = 4.5e-05)")
    assert "sold" not in done.output
    document = analyse(CSV, *SOLD, "--weights", "none=.4,mail=.6", "--json").document
    assert (document["srm"]["verdict"], len(document["metrics"])) == ("failed", 1)


def test_a_designed_arm_of_weight_0_that_is_empty_changes_nothing(analyse: Callable[..., Done]) -> None:
    plain = analyse(CSV, *SOLD, "--json").document
    assert analyse(CSV, *SOLD, "--weights", "none=.5,mail=.5,sms=0", "--json").document == plain
    more = CSV + "x,sms,0,0,1,1,a1\n"
    assert analyse(more, *SOLD, "--weights", "none=.5,mail=.5,sms=0", "--json").document["srm"]["verdict"] == "failed"


def test_the_planned_units_are_those_of_the_file_unless_said(analyse: Callable[..., Done]) -> None:
    planned = [
        analyse(CSV, *SOLD, *options, "--json").document["metrics"][0]["absolute"]["always_valid"]["planned_n"]
        for options in ((), ("--planned-n", "1000"))
    ]
    assert planned == [400, 1_000]


def test_clusters_widen_what_is_alike_within_them(analyse: Callable[..., Done]) -> None:
    """Every customer four times over: the rows are four times as many, what is known is not."""
    lines = CSV.splitlines(keepends=True)
    repeated = lines[0] + "".join(lines[1:]) * 4
    once, rows, clusters = (
        analyse(text, "--metric", "spent:mean", *options, "--json").document["metrics"][0]["absolute"]["standard_error"]
        for text, options in ((CSV, ()), (repeated, ()), (repeated, ("--cluster", "customer")))
    )
    assert rows == pytest.approx(once / 2, rel=0.01)
    assert clusters == pytest.approx(once, rel=0.01)


def test_few_clusters_are_warned_of(analyse: Callable[..., Done]) -> None:
    assert "With 3 clusters" in analyse(CSV, *SOLD, "--cluster", "visits").output


def test_empty_outcomes_are_refused_until_their_meaning_is_said(analyse: Callable[..., Done]) -> None:
    text = CSV.replace(LINE_8, LINE_8.replace(",0,", ",,"))
    done = analyse(text, *SOLD)
    assert done.code == 1
    assert (
        "test.csv, line 8, column sold: is empty, the first of 1 (none 1, mail 0); say what that means" in done.errors
    )
    counted = [
        analyse(text, *SOLD, "--missing", means, "--json").document["metrics"][0]["n"]["none"]
        for means in ("zero", "leave-out")
    ]
    assert counted == [200, 199]


def test_what_is_left_out_is_said_and_still_counts_for_the_split(analyse: Callable[..., Done]) -> None:
    done = analyse(CSV.replace(LINE_8, LINE_8.replace(",0,", ",,")), *SOLD, "--missing", "leave-out")
    assert "Left out, for their outcome is not known: 1 of none, 0 of mail." in done.output
    assert "none  200    50.00 %" in done.output


def test_an_empty_covariate_is_no_trouble(analyse: Callable[..., Done]) -> None:
    text = CSV.replace(LINE_8, LINE_8.replace(",6,", ",,"))
    (metric,) = analyse(text, *SOLD, "--covariate", "past", "--json").document["metrics"]
    assert metric["n"] == {"none": 200, "mail": 200}
    assert metric["cuped"]["variance_reduction"] < 1


def test_zipped_and_parquet_files_are_welcome(
    tmp_path: Path, experiment: Callable[..., Done], analyse: Callable[..., Done]
) -> None:
    import pyarrow.parquet as parquet
    from pyarrow import csv as arrow_csv

    plain = analyse(CSV, *SOLD, "--json").document
    zipped, table = tmp_path / "t.csv.gz", tmp_path / "t.parquet"
    zipped.write_bytes(gzip.compress(CSV.encode()))
    parquet.write_table(arrow_csv.read_csv(tmp_path / "test.csv"), table)
    for path in (zipped, table):
        assert experiment("analyse", str(path), "--arm", "arm", "--control", "none", *SOLD, "--json").document == plain


def test_true_and_false_are_1_and_0(analyse: Callable[..., Done]) -> None:
    words = CSV.replace(",1,", ",True,").replace(",0,", ",false,")
    plain = analyse(CSV, *SOLD, "--json").document
    assert analyse(words, *SOLD, "--json").document["metrics"][0]["absolute"] == plain["metrics"][0]["absolute"]


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (CSV, ("--metric", "profit:mean"), "test.csv has no column profit; it has customer, arm, sold"),
        (CSV, (*SOLD, "--covariate", "age"), "test.csv has no column age"),
        (CSV, (*SOLD, "--cluster", "team"), "test.csv has no column team"),
        (CSV, (*SOLD, "--control", "nobody"), "column arm: no row is in nobody; the arms are mail, none"),
        (CSV.replace(",mail,", ",none,"), SOLD, "column arm: every row is in none, so there is no comparison"),
        (CSV, (*SOLD, "--arm", "customer", "--control", "c1"), "column customer: 400 values are too many to be arms"),
        (CSV.replace("c6,none,0", "c6,none,yes"), SOLD, "line 8, column sold: 'yes' is not a finite number"),
        (CSV.replace("c6,none,0", "c6,none,NaN"), SOLD, "line 8, column sold: 'NaN' is not a finite number"),
        (CSV.replace("c6,none,0", "c6,none,2"), SOLD, "line 8, column sold: 2 is neither 0 nor 1"),
        (CSV.replace("c6,none,0", "c6,,0"), SOLD, "line 8, column arm: is empty"),
        (CSV.replace("c6,none,0", "c6,none"), SOLD, "line 8: the row has 6 cells, the header has 7"),
        (CSV.splitlines()[0], SOLD, "test.csv has no rows below its header"),
        ("", SOLD, "test.csv is empty"),
        (CSV, (*SOLD, "--weights", "none=1"), "Arm mail has no weight"),
        (CSV.replace("past", "gone").replace("arm,sold", "past,sold"), SOLD, "test.csv has no column arm"),
    ],
)
def test_data_that_cannot_be_used_is_one_line(
    text: str, options: tuple[str, ...], said: str, analyse: Callable[..., Done]
) -> None:
    done = analyse(text, *options)
    assert (done.code, done.output) == (1, "")
    assert said in done.errors
    assert len(done.errors.splitlines()) == 1


def test_a_file_that_is_not_there_is_one_line(experiment: Callable[..., Done]) -> None:
    done = experiment("analyse", "/no/such.csv", "--arm", "arm", "--control", "none", *SOLD)
    assert (done.code, done.errors) == (1, "nbo: /no/such.csv is not there.\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("analyse", "f.csv", "--arm", "a", "--control", "c"),
        ("analyse", "f.csv", "--arm", "a", "--control", "c", "--metric", "sold"),
        ("analyse", "f.csv", "--arm", "a", "--control", "c", "--metric", "sold:median"),
        ("analyse", "f.csv", "--arm", "a", "--control", "c", "--metric", "sold:ratio="),
        ("analyse", "f.csv", "--arm", "a", "--control", "c", *SOLD, "--alpha", "5"),
        ("analyse", "f.csv", "--arm", "a", "--control", "c", *SOLD, "--weights", ".5,.5"),
        ("analyse", "f.csv", "--arm", "a", "--control", "c", *SOLD, "--planned-n", "0"),
        ("srm", "--observed", "1,2", "--weights", ".5"),
        ("srm", "--observed", "1,x", "--weights", ".5,.5"),
        ("srm", "--observed", "1,2.5", "--weights", ".5,.5"),
        ("power", "--baseline", ".1"),
        ("power", "--baseline", "1.1", "--mde", ".01"),
        ("power", "--baseline", ".1", "--mde", ".95"),
        ("power", "--baseline", ".1", "--mde", "0"),
        ("power", "--baseline", "10", "--mde", "1", "--kind", "mean"),
        ("power", "--baseline", ".1", "--mde", ".01", "--allocation", "1"),
        ("power", "--baseline", ".1", "--mde", ".01", "--power", "1"),
        ("power", "--baseline", ".1", "--mde", ".01", "--daily", "0"),
        ("power", "--baseline", ".1", "--days", "7"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...], experiment: Callable[..., Done]) -> None:
    assert experiment(*arguments).code == 2


def test_the_split_of_counts_is_checked(experiment: Callable[..., Done]) -> None:
    check = experiment("srm", "--observed", "44000,45000", "--weights", ".5,.5", "--json").document
    assert (round(check["p_value"], 5), check["verdict"]) == (0.00080, "failed")
    assert experiment("srm", "--observed", "44000,45000,0", "--weights", ".5,.5,0", "--json").document == check
    assert experiment("srm", "--observed", "500,510", "--weights", ".5,.5").output.startswith("Split: as designed")


def test_units_days_and_what_looking_at_any_time_costs(experiment: Callable[..., Done]) -> None:
    needed = ("power", "--baseline", ".1", "--mde", ".01", "--daily", "1000")
    document = experiment(*needed, "--json").document
    assert (document["n_per_arm"], document["total"], document["days"]) == ([14_749, 14_749], 29_498, 30)
    assert document["always_valid"]["total"] == pytest.approx(
        document["total"] * document["always_valid"]["inflation"], rel=1e-3
    )
    assert "29498  14749, 14749           30" in experiment(*needed).output


def test_the_smallest_effect_by_a_date(experiment: Callable[..., Done]) -> None:
    asked = ("power", "--baseline", "20", "--kind", "mean", "--sd", "30", "--daily", "1000", "--days", "28")
    document = experiment(*asked, "--json").document
    assert document["smallest_effect"] == pytest.approx(2.801585 * 30 * (4 / 28_000) ** 0.5, rel=1e-6)
    assert document["always_valid"]["smallest_effect"] > document["smallest_effect"]
    assert "looks at any time" in experiment(*asked).output
