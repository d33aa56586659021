"""`nbo experiment uplift` as a user runs it: on made-up units, and on a real campaign (Hillstrom, 2008)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.serving.cli.conftest import Done

HILLSTROM = Path(__file__).parents[4] / "shared" / "data" / "hillstrom" / "hillstrom_data.csv.gz"
HEADER = "arm,sold,spent,age,town,chance,customer\n"
FEATURES = ("--features", "age,town")
SOLD = ("--metric", "sold:binary")


def a_file(units: int = 3_000, seed: int = 1, treated: float = 0.5) -> str:
    """Units of whom those in town b, and they alone, are moved by mail; a few ages and towns are not known."""
    rng, lines = np.random.default_rng(seed), []
    for number in range(units):
        town, age = ("a", "b", "")[number % 20 // 9], int(rng.integers(18, 80))
        arm = "mail" if rng.random() < treated else "none"
        sold = int(rng.random() < (0.5 if (arm, town) == ("mail", "b") else 0.1))
        known_age = "" if number % 17 == 0 else str(age)
        lines.append(f"{arm},{sold},{sold * age / 2},{known_age},{town},{treated},c{number}\n")
    return HEADER + "".join(lines)


CSV = a_file()


@pytest.fixture
def uplift(tmp_path: Path, experiment: Callable[..., Done]) -> Callable[..., Done]:
    """Runs `nbo experiment uplift` on the text of a file."""

    def run(text: str, *options: str) -> Done:
        path = tmp_path / "units.csv"
        path.write_text(text, encoding="utf-8")
        return experiment("uplift", str(path), "--arm", "arm", "--control", "none", *options)

    return run


def test_the_effect_stands_beside_the_plain_difference(uplift: Callable[..., Done]) -> None:
    document = uplift(CSV, *SOLD, *FEATURES, "--json").document
    rows = [line.split(",") for line in CSV.splitlines()[1:]]
    sold = {arm: np.mean([float(row[1]) for row in rows if row[0] == arm]) for arm in ("none", "mail")}
    assert document["plain_difference"]["estimate"] == pytest.approx(sold["mail"] - sold["none"])
    assert document["effect"]["standard_error"] < document["plain_difference"]["standard_error"]


def test_segments_have_effects_and_are_said_to_be_exploratory(uplift: Callable[..., Done]) -> None:
    done = uplift(CSV, *SOLD, *FEATURES, "--segment", "town", "--json")
    effects = {row["segment"]: row for row in done.document["segments"]}
    assert list(effects) == ["(empty)", "a", "b"]
    assert effects["a"]["low"] < 0 < effects["a"]["high"] < effects["b"]["low"] < 0.4 < effects["b"]["high"]
    assert done.document["heterogeneity"]["p_value"] < 1e-6
    output = uplift(CSV, *SOLD, *FEATURES, "--segment", "town").output
    assert "By town (exploratory: it suggests what to test next, it proves nothing)" in output
    assert "The segments have effects that differ (p = <.0001)." in output


def test_those_whom_it_moves_come_first(uplift: Callable[..., Done]) -> None:
    document = uplift(CSV, *SOLD, *FEATURES, "--json").document
    assert document["qini"]["coefficient"]["low"] > 0
    assert [entry["share"] for entry in document["uplift_at"]] == [0.1, 0.2, 0.3]
    assert all(entry["low"] > document["effect"]["estimate"] for entry in document["uplift_at"])


def test_a_ranking_by_what_says_nothing_is_not_recommended(uplift: Callable[..., Done]) -> None:
    output = uplift(CSV, *SOLD, "--features", "age").output
    assert "Not decided whether treating by this rank brings more than treating as many at random." in output


def test_readable_lines_say_it_in_words(uplift: Callable[..., Done]) -> None:
    output = uplift(CSV, *SOLD, *FEATURES).output
    assert output.startswith("Split: as designed")
    for said in ("sold (binary): mail against none", "mail raises sold", "plain difference", "top 30 %",
                 "Qini coefficient: +", "Treating by this rank brings more"):  # fmt: skip
        assert said in output


def test_the_same_seed_gives_the_same_answer(uplift: Callable[..., Done]) -> None:
    seeds = [uplift(CSV, *SOLD, *FEATURES, "--seed", seed, "--json").document for seed in ("1", "1", "2")]
    assert seeds[0] == seeds[1] != seeds[2]


def test_missing_numbers_may_tell_something(uplift: Callable[..., Done]) -> None:
    """Those whose age is not known, and they alone, are moved."""
    rng, lines = np.random.default_rng(3), []
    for number in range(3_000):
        is_known, arm = number % 2 == 0, ("none", "mail")[int(rng.integers(2))]
        sold = int(rng.random() < (0.6 if arm == "mail" and not is_known else 0.2))
        lines.append(f"{arm},{sold},0,{rng.integers(18, 80) if is_known else ''},a,.5,c\n")
    found = uplift(HEADER + "".join(lines), *SOLD, "--features", "age", "--json").document
    assert found["uplift_at"][2]["estimate"] == pytest.approx(0.4, abs=0.1)


def test_the_designed_weights_and_a_logged_chance_say_the_same(uplift: Callable[..., Done]) -> None:
    text = a_file(treated=0.3)
    by_weights = uplift(text, *SOLD, *FEATURES, "--weights", "none=.7,mail=.3", "--json").document
    by_column = uplift(text, *SOLD, *FEATURES, "--propensity", "chance", "--json").document
    assert by_column["effect"]["estimate"] == pytest.approx(by_weights["effect"]["estimate"])
    assert (by_weights["srm"]["verdict"], by_column["srm"]["verdict"]) == ("ok", "ok")


def test_chances_that_vary_spoil_the_plain_difference_alone(uplift: Callable[..., Done]) -> None:
    """The old buy more and are mailed more; mail does nothing."""
    rng, lines = np.random.default_rng(4), []
    for number in range(4_000):
        is_old = number % 2
        arm = "mail" if rng.random() < (0.2, 0.8)[is_old] else "none"
        lines.append(f"{arm},{int(rng.random() < (0.1, 0.5)[is_old])},0,{20 + 40 * is_old},a,{(0.2, 0.8)[is_old]},c\n")
    done = uplift(HEADER + "".join(lines), *SOLD, "--features", "town", "--propensity", "chance", "--json").document
    assert done["plain_difference"]["low"] > 0.1
    assert done["effect"]["low"] < 0 < done["effect"]["high"]
    said = uplift(HEADER + "".join(lines), *SOLD, "--features", "town", "--propensity", "chance").output
    assert "Chances of treatment vary" in said


def test_a_failed_split_hides_the_results_and_draws_nothing(uplift: Callable[..., Done], tmp_path: Path) -> None:
    done = uplift(CSV, *SOLD, *FEATURES, "--weights", "none=.3,mail=.7", "--out", str(tmp_path / "out"))
    assert done.output.startswith("Split: FAILED.")
    assert "sold" not in done.output
    assert not (tmp_path / "out").exists()


def test_the_qini_curve_is_drawn_and_its_files_named(uplift: Callable[..., Done], tmp_path: Path) -> None:
    document = uplift(CSV, *SOLD, *FEATURES, "--out", str(tmp_path / "out"), "--json").document
    assert document["pictures"] == [str(tmp_path / "out" / name) for name in ("qini.svg", "qini.png")]
    text = (tmp_path / "out" / "qini.svg").read_text(encoding="utf-8")
    assert "sold: whom to treat first with mail" in text
    assert "percentage points" in text


def test_with_several_treatments_one_is_chosen_and_the_others_do_not_count(uplift: Callable[..., Done]) -> None:
    more = CSV + "sms,1,0,30,a,.5,x\n" * 50
    chosen = uplift(more, *SOLD, *FEATURES, "--treatment", "mail", "--json").document
    assert chosen == uplift(CSV, *SOLD, *FEATURES, "--json").document
    done = uplift(more, *SOLD, *FEATURES)
    assert (done.code, done.errors) == (1, "nbo: Besides none there are mail, sms; choose one with --treatment.\n")


def test_empty_outcomes_are_left_out_when_that_is_said(uplift: Callable[..., Done]) -> None:
    text = CSV + "mail,,,30,a,.5,x\n"
    assert "say what that means" in uplift(text, *SOLD, *FEATURES).errors
    left = uplift(text, *SOLD, *FEATURES, "--missing", "leave-out", "--json").document
    whole = uplift(CSV, *SOLD, *FEATURES, "--json").document
    assert left["effect"]["estimate"] == pytest.approx(whole["effect"]["estimate"], abs=0.01)
    assert left["notes"] == ["Left out, for their outcome is not known: 0 of none, 1 of mail."]


def test_long_work_says_on_standard_error_what_it_does(
    uplift: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert uplift(CSV, *SOLD, *FEATURES).errors == ""
    monkeypatch.setattr("serving.cli.uplift_commands.LONG", 10)
    done = uplift(CSV, *SOLD, *FEATURES, "--json")
    assert "doubly robust scores" in done.errors
    assert done.document["metric"] == "sold"


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (CSV, ("--features", "height"), "units.csv has no column height"),
        (CSV, ("--features", "customer"), "column customer: 'c0' is not a number, and 3000 values are too many"),
        (CSV, (*FEATURES, "--segment", "customer"), "column customer: 3000 values are too many for segments"),
        (CSV, (*FEATURES, "--treatment", "sms"), "No unit is in sms; besides none there are mail."),
        (CSV, (*FEATURES, "--weights", "none=1"), "Arm mail has units, so it needs a weight above 0."),
        (CSV, (*FEATURES, "--propensity", "age"), "column age: '' is not a chance above 0 and below 1."),
        (CSV.replace(",a,0.5,c1\n", ",a,1,c1\n"), (*FEATURES, "--propensity", "chance"), "line 3, column chance: '1'"),
        (HEADER + "mail,1,1,20,a,.5,c\nnone,0,1,20,a,.5,c\n" * 4, FEATURES, "Each arm needs at least 10 units"),
        (
            CSV.replace("chance", "empty").replace(",0.5,", ",,"),
            ("--features", "empty"),
            "empty: is empty in every row",
        ),
        (CSV.replace("\nnone,0,", "\nnone,2,", 1), FEATURES, "column sold: 2 is neither 0 nor 1"),
    ],
)
def test_data_that_cannot_be_used_is_one_line(
    text: str, options: tuple[str, ...], said: str, uplift: Callable[..., Done]
) -> None:
    done = uplift(text, *SOLD, *options)
    assert (done.code, done.output) == (1, "")
    assert said in done.errors
    assert len(done.errors.splitlines()) == 1


@pytest.mark.parametrize(
    "options",
    [
        (*SOLD, "--features", "age,sold"),
        (*SOLD, "--features", "arm"),
        (*SOLD, "--features", " ,"),
        (*SOLD, *FEATURES, "--segment", "sold"),
        (*SOLD, *FEATURES, "--treatment", "none"),
        (*SOLD, *FEATURES, "--weights", "none=.5,mail=.5", "--propensity", "chance"),
        ("--metric", "spent:ratio=sold", *FEATURES),
        ("--metric", "sold", *FEATURES),
        SOLD,
    ],
)
def test_wrong_usage_is_exit_code_2(options: tuple[str, ...], uplift: Callable[..., Done]) -> None:
    assert uplift(CSV, *options).code == 2


@pytest.mark.skipif(not HILLSTROM.is_file(), reason="the shared real data are not on this machine")
def test_the_womens_mail_moves_those_who_bought_womens_wear(experiment: Callable[..., Done]) -> None:
    names = "recency,history,mens,womens,zip_code,newbie,channel"
    document = experiment(
        "uplift", str(HILLSTROM), "--arm", "segment", "--control", "No E-Mail", "--treatment", "Womens E-Mail",
        "--metric", "visit:binary", "--features", names, "--segment", "womens", "--json",
    ).document  # fmt: skip
    assert document["n"] == {"No E-Mail": 21_306, "Womens E-Mail": 21_387}
    assert document["plain_difference"]["estimate"] == pytest.approx(0.0452331, abs=1e-7)
    assert document["effect"]["estimate"] == pytest.approx(0.0452, abs=0.001)
    assert document["effect"]["standard_error"] < document["plain_difference"]["standard_error"]
    never, before = document["segments"]
    assert never["high"] < 0.03 < 0.06 < before["low"]
    assert document["qini"]["coefficient"]["low"] > 0.003
