"""The back-test on files: small ones worked out by hand, and the real ones with known results."""

import gzip
from pathlib import Path
from typing import Any

import pytest
import yaml

from recsys.domain.errors import ImportInvalid, NotEnoughMemory
from recsys.evaluation.backtest import BacktestRequest, read_tasks, run_backtest
from recsys.models.data_shape import DataShape
from recsys.models.defaults import defaults_of

DATA = Path(__file__).parents[4] / "shared" / "data"
TRAIN = "customer_id,offer_id,occurred_at\na,x,2026-01-01\na,y,2026-01-02T08:00:00Z\nb,x,2026-01-03 10:00:00\n"


def files(folder: Path, **texts: str) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.csv" for name in texts}


def results(request: BacktestRequest) -> dict[str, Any]:
    return dict(run_backtest(request)["models"]["popularity"])


def test_each_customer_is_a_task_and_what_was_seen_is_left_out(tmp_path: Path) -> None:
    test = "customer_id,offer_id\nb,y\nc,x\n"
    request = BacktestRequest(**files(tmp_path, train=TRAIN, test=test), ks=(1,))
    document = run_backtest(request)
    assert (document["tasks"], document["customers"], document["offers"]) == (2, 2, 2)
    assert document["models"]["popularity"]["HR@1"]["mean"] == 1


def test_seen_offers_are_ranked_when_asked_for(tmp_path: Path) -> None:
    paths = files(tmp_path, train=TRAIN, test="customer_id,offer_id\nb,y\n")
    assert results(BacktestRequest(**paths, ks=(1,), include_seen=True))["HR@1"]["mean"] == 0


def test_each_event_is_a_task_where_events_have_ids(tmp_path: Path) -> None:
    paths = files(tmp_path, train=TRAIN, test="event_id,customer_id,offer_id\n1,c,x\n1,c,y\n2,c,z\n")
    document = run_backtest(BacktestRequest(**paths, ks=(2,)))
    assert (document["tasks"], document["customers"], document["offers"]) == (2, 1, 3)
    assert document["models"]["popularity"]["Recall@2"]["mean"] == 0.5


@pytest.mark.parametrize("eligible", ["event_id,offer_id\n1,y\n1,z\n2,x\n", "customer_id,offer_id\nc,y\nc,z\nd,x\n"])
def test_only_the_eligible_offers_of_a_task_are_ranked(eligible: str, tmp_path: Path) -> None:
    test = "event_id,customer_id,offer_id\n1,c,y\n2,d,x\n"
    paths = files(tmp_path, train=TRAIN, test=test, eligible=eligible)
    assert results(BacktestRequest(**paths, ks=(1,)))["HR@1"]["mean"] == 1


def test_columns_of_other_names_are_mapped(tmp_path: Path) -> None:
    paths = files(tmp_path, train="user,item\na,x\n", test="user,item\nb,x\n")
    columns = {"customer_id": "user", "offer_id": "item"}
    assert results(BacktestRequest(**paths, ks=(1,), columns=columns))["HR@1"]["mean"] == 1


def test_gzipped_files_and_parquet_are_read_alike(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = files(tmp_path, train=TRAIN, test="customer_id,offer_id\nb,y\n")
    (tmp_path / "train.csv.gz").write_bytes(gzip.compress(TRAIN.encode()))
    pq.write_table(pa.table({"customer_id": ["b"], "offer_id": ["y"]}), tmp_path / "test.parquet")
    plain = read_tasks(BacktestRequest(**paths)).training
    packed, tasks, _ = read_tasks(BacktestRequest(tmp_path / "train.csv.gz", tmp_path / "test.parquet"))
    assert (plain.matrix != packed.matrix).nnz == 0
    assert len(tasks) == 1


def test_times_give_ages_and_those_without_a_zone_are_utc(tmp_path: Path) -> None:
    training = read_tasks(BacktestRequest(**files(tmp_path, train=TRAIN, test="customer_id,offer_id\nb,y\n"))).training
    assert training.age_days is not None
    assert training.age_days.tolist() == pytest.approx([2 + 10 / 24, 1 + 2 / 24, 0])


def test_weights_add_up(tmp_path: Path) -> None:
    train = "customer_id,offer_id,weight\na,x,0.5\na,x,2\n"
    training = read_tasks(BacktestRequest(**files(tmp_path, train=train, test="customer_id,offer_id\nb,x\n"))).training
    assert training.matrix.data.tolist() == [2.5]


def test_the_same_seed_gives_the_same_figures(tmp_path: Path) -> None:
    train = "customer_id,offer_id\n" + "".join(f"c{n},o{n % 7}\n" for n in range(40))
    test = "customer_id,offer_id\n" + "".join(f"d{n},o{n % 5}\n" for n in range(40))
    request = BacktestRequest(**files(tmp_path, train=train, test=test), models=("popularity", "item_item", "als"))
    one, other = (run_backtest(request) for _ in range(2))
    timed = ("fit_seconds", "score_seconds")
    for name, figures in one["models"].items():
        assert {k: v for k, v in figures.items() if k not in timed} == {
            k: v for k, v in other["models"][name].items() if k not in timed
        }


@pytest.mark.parametrize(
    ("train", "test", "reason"),
    [
        ("who,what\na,x\n", "customer_id,offer_id\na,x\n", "has no column customer_id, offer_id"),
        ("customer_id,offer_id\n", "customer_id,offer_id\na,x\n", "has no rows"),
        (TRAIN, "customer_id,offer_id\na,\n", "empty fields"),
        ("customer_id,offer_id,occurred_at\na,x,soon\n", "customer_id,offer_id\na,x\n", "cannot be read"),
        ("customer_id,offer_id,weight\na,x,much\n", "customer_id,offer_id\na,x\n", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(
    train: str, test: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ImportInvalid, match=reason):
        run_backtest(BacktestRequest(**files(tmp_path, train=train, test=test)))


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ImportInvalid, match="is not there"):
        run_backtest(BacktestRequest(tmp_path / "none.csv", tmp_path / "none.csv"))


def test_a_task_without_eligible_offers_in_the_file_is_said(tmp_path: Path) -> None:
    paths = files(tmp_path, train=TRAIN, test="customer_id,offer_id\nb,y\n", eligible="customer_id,offer_id\nz,y\n")
    with pytest.raises(ImportInvalid, match="says nothing about 1 of the tasks"):
        run_backtest(BacktestRequest(**paths))


def test_lists_of_offers_are_read_as_the_same_events(tmp_path: Path) -> None:
    (tmp_path / "train.dat").write_text("2 x y\n1 x\n0\n1 z\n")
    (tmp_path / "test.dat.gz").write_bytes(gzip.compress(b"1 z\n1 y\n0\n0\n"))
    training, tasks, _ = read_tasks(BacktestRequest(tmp_path / "train.dat", tmp_path / "test.dat.gz"))
    assert training.matrix.toarray().tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert tasks.relevant.toarray().tolist() == [[0, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize("content", ["2 x\n", "x y\n", "", "0\n\n"])
def test_lists_that_do_not_hold_what_they_announce_are_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "train.dat").write_text(content)
    with pytest.raises(ImportInvalid, match=r"line 1|cannot be read|has no rows"):
        run_backtest(BacktestRequest(tmp_path / "train.dat", tmp_path / "train.dat"))


def test_other_models_come_with_paired_differences_from_popularity_by_group(tmp_path: Path) -> None:
    train = "customer_id,offer_id\n" + "".join(f"c{n},o{n % 7}\nc{n},o{(n + 1) % 7}\n" for n in range(60))
    test = "customer_id,offer_id\n" + "".join(f"c{n},o{(n + 2) % 7}\nnew{n},o{n % 3}\n" for n in range(30))
    document = run_backtest(BacktestRequest(**files(tmp_path, train=train, test=test), models=("ease", "popularity")))
    ease, popularity = document["models"]["ease"], document["models"]["popularity"]
    assert "against_popularity" not in popularity
    difference = ease["against_popularity"]["HR@3"]["mean"]
    assert difference == pytest.approx(ease["HR@3"]["mean"] - popularity["HR@3"]["mean"], abs=2e-6)
    assert (ease["known_customers"]["tasks"], ease["new_customers"]["tasks"]) == (30, 30)
    assert ease["new_customers"]["against_popularity"]["HR@3"] == {"mean": 0, "low": 0, "high": 0}


def test_a_family_for_smaller_catalogues_is_skipped_and_alone_refused(tmp_path: Path) -> None:
    lines = "".join(f"c{n % 50},o{n}\n" for n in range(1_100))
    paths = files(tmp_path, train="customer_id,offer_id\n" + lines, test="customer_id,offer_id\nc0,o1\n")
    document = run_backtest(BacktestRequest(**paths, models=("popularity", "blend")))
    assert document["skipped"] == {"blend": "for at most 1000 offers"}
    assert list(document["models"]) == ["popularity"]
    with pytest.raises(ValueError, match="blend is for at most 1000 offers"):
        run_backtest(BacktestRequest(**paths, models=("blend",)))


def test_a_family_that_needs_more_memory_than_it_may_have_is_refused_with_both_figures(tmp_path: Path) -> None:
    lines = "".join(f"c{n % 50},o{n % 300}\n" for n in range(1_100))
    paths = files(tmp_path, train="customer_id,offer_id\n" + lines, test="customer_id,offer_id\nc0,o1\n")
    document = run_backtest(BacktestRequest(**paths, models=("popularity", "ease"), memory=100_000))
    assert list(document["models"]) == ["popularity"]
    assert document["refused"]["ease"]["memory_bytes"] == 100_000
    assert document["refused"]["ease"]["needs_bytes"] > 4 * 300**2
    with pytest.raises(NotEnoughMemory, match=r"popularity was not started: it needs about .* see --memory"):
        run_backtest(BacktestRequest(**paths, memory=10))


def test_what_parameters_do_not_say_is_as_suits_the_shape_of_the_data(tmp_path: Path) -> None:
    lines = "".join(f"c{n},o{n}\nc{n},o{(n * 7) % 400}\n" for n in range(400))
    paths = files(tmp_path, train="customer_id,offer_id\n" + lines, test="customer_id,offer_id\nc0,o1\n")
    chosen = {"als": {"iterations": 1}}
    document = run_backtest(BacktestRequest(**paths, models=("als",), parameters=chosen))
    sparse = DataShape(400, 400, 800)
    assert document["models"]["als"]["parameters"] == {**defaults_of("als", sparse), "iterations": 1}


INSURANCE = DATA / "insurance"


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared real data are not on this machine")
def test_the_blend_beats_popularity_at_the_insurer_for_known_and_new_customers() -> None:
    request = BacktestRequest(
        train=INSURANCE / "purchase_events_train.csv.gz",
        test=INSURANCE / "purchase_events_test.csv.gz",
        eligible=INSURANCE / "filter_test.csv.gz",
        models=("popularity", "blend"),
        ks=(3,),
        columns={"customer_id": "user_id", "offer_id": "item_id", "occurred_at": "event_time"},
        include_seen=True,
    )
    blend = run_backtest(request)["models"]["blend"]
    assert blend["HR@3"]["mean"] > 0.72
    assert blend["known_customers"]["HR@3"]["mean"] > 0.62
    for group in (blend, blend["known_customers"], blend["new_customers"]):
        assert group["against_popularity"]["HR@3"]["low"] > 0


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared real data are not on this machine")
def test_the_insurers_purchases_as_a_monthly_extract_rank_as_their_first_month_ends(tmp_path: Path) -> None:
    import duckdb

    purchases = f"read_csv('{INSURANCE}/purchase_events_train.csv.gz', all_varchar=true)"
    firsts = f"SELECT user_id, item_id, last_day(min(event_time::TIMESTAMP)) AS day FROM {purchases} GROUP BY ALL"
    ends = f"SELECT DISTINCT day AS ending FROM ({firsts})"
    every = f"SELECT user_id, item_id, ending AS day FROM ({firsts}) JOIN ({ends}) ON ending >= day"
    found = {}
    for name, query in (("firsts", firsts), ("extract", every)):
        duckdb.sql(f"COPY ({query} ORDER BY ALL) TO '{tmp_path}/{name}.csv'")
        request = BacktestRequest(
            train=tmp_path / f"{name}.csv",
            test=INSURANCE / "purchase_events_test.csv.gz",
            models=("popularity", "item_item", "blend"),
            ks=(5,),
            columns={"customer_id": "user_id", "offer_id": "item_id", "occurred_at": "day"},
        )
        found[name] = {name: one["NDCG@5"] for name, one in run_backtest(request)["models"].items()}
    assert found["extract"] == found["firsts"]


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared real data are not on this machine")
@pytest.mark.parametrize(("has_filter", "hit_rate"), [(False, 0.6217), (True, 0.6793)])
def test_popularity_at_the_insurer_is_what_was_published(has_filter: bool, hit_rate: float) -> None:
    folder = DATA / "insurance"
    request = BacktestRequest(
        train=folder / "purchase_events_train.csv.gz",
        test=folder / "purchase_events_test.csv.gz",
        eligible=folder / "filter_test.csv.gz" if has_filter else None,
        ks=(3,),
        columns={"customer_id": "user_id", "offer_id": "item_id", "occurred_at": "event_time"},
        include_seen=True,
        parameters={"popularity": {"half_life_days": 0.0}},
    )
    document = run_backtest(request)
    assert document["tasks"] == 5_376
    assert document["models"]["popularity"]["HR@3"]["mean"] == pytest.approx(hit_rate, abs=0.0001)


PUBLISHED = {
    "popularity": (0.0040, 0.0078, 0.0258),
    "item_item": (0.0989, 0.1441, 0.2300),
    "ease": (0.0839, 0.1253, 0.2128),
    "als": (0.0779, 0.1388, 0.2706),
    "bpr": (0.0680, 0.1011, 0.1663),
}
"""Recall@50, @100 and @300 (Ferrari Dacrema et al., TOIS 2021, tables 15 and 16)."""


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the shared real data are not on this machine")
def test_every_published_recall_on_citeulike_is_reached() -> None:
    examples = Path(__file__).parents[3] / "docs" / "examples"
    request = BacktestRequest(
        train=DATA / "citeulike_a" / "cf-train-10-users.dat.gz",
        test=DATA / "citeulike_a" / "cf-test-10-users.dat.gz",
        models=tuple(PUBLISHED),
        ks=(50, 100, 300),
        parameters=yaml.safe_load((examples / "citeulike.yaml").read_text(encoding="utf-8")),
    )
    models = run_backtest(request)["models"]
    for name, recalls in PUBLISHED.items():
        for k, recall in zip(request.ks, recalls, strict=True):
            assert models[name][f"Recall@{k}"]["mean"] >= 0.95 * recall, (name, k)
    assert models["item_item"]["Recall@50"]["mean"] > 0.1250


def test_of_an_extract_each_holding_is_used_once_from_its_first_date(tmp_path: Path) -> None:
    held = [(f"c{number}", f"o{number % 3}") for number in range(30)]
    dates = ("2026-01-31", "2026-02-28", "2026-03-31")
    once = (
        "customer_id,offer_id,occurred_at\n" + "".join(f"{c},{o},{dates[0]}\n" for c, o in held) + "n,o1,2026-03-31\n"
    )
    again = once + "".join(f"{c},{o},{day}\n" for day in dates[1:] for c, o in held)
    test = "customer_id,offer_id\nc0,o1\nnew,o2\n"
    first = BacktestRequest(**files(tmp_path, train=once, test=test))
    other = BacktestRequest(**files(tmp_path / "again", train=again, test=test))
    plain, repeated = read_tasks(first), read_tasks(other)
    assert plain.extract is None
    assert repeated.extract == "train.csv is an extract: 91 rows at 3 dates say 31 holdings, each used once."
    assert (plain.training.matrix != repeated.training.matrix).nnz == 0
    assert plain.training.age_days is not None
    assert repeated.training.age_days is not None
    assert plain.training.age_days.tolist() == repeated.training.age_days.tolist()


def test_a_model_whose_scores_say_nothing_is_named(tmp_path: Path) -> None:
    train = "customer_id,offer_id\n" + "".join(f"c{n},o{n % 4}\n" for n in range(40))
    document = run_backtest(
        BacktestRequest(**files(tmp_path, train=train, test="customer_id,offer_id\nc0,o1\nc1,o2\n"))
    )
    assert "same score" in document["models"]["popularity"]["warning"]
