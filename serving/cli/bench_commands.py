"""`nbo bench`: measurements of the running product beside a floor measured in the same run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from serving.cli.memory_option import MemoryOption, memory_bytes
from serving.cli.model_options import SeedOption, chosen_families
from serving.cli.output import JsonOption, emit, interval, progress_bar, table


def cold_start(
    customers: Annotated[int, typer.Option(min=500, help="People of the simulated bank.")] = 5000,
    seed: SeedOption = 7,
    as_json: JsonOption = False,
) -> None:
    """Rank for people known by their facts alone, and offers that nobody has taken yet, on the simulated bank."""
    from serving.cli.bench.cold_start import measure

    with progress_bar() as progress:
        result = measure(customers, seed, progress)
    emit(result, as_json, _cold_start_lines(result))


def _cold_start_lines(result: Mapping[str, Any]) -> str:
    parts = []
    for what, found in result["cold_starts"].items():
        names = ("HR@3", "HR@3 against popularity", "NDCG@5", "NDCG@5 against popularity")
        rows = [
            (model, *(interval(metrics[name], "+" if "against" in name else "") for name in names))
            for model, metrics in found["models"].items()
        ]
        parts.append(f"{what}, {found['tasks']} tasks\n" + table(("model", *names), rows))
    return "\n\n".join(parts)


def fold_in(  # one option each
    model: Annotated[str, typer.Option(help="Families with commas, or all.")] = "als",
    customers: Annotated[int, typer.Option(min=100, help="Customers in the export.")] = 50_000,
    offers: Annotated[int, typer.Option(min=10, help="Offers in the export.")] = 500,
    interactions: Annotated[int, typer.Option(min=1000, help="Interactions in the export.")] = 1_000_000,
    factors: Annotated[int, typer.Option(min=1, help="Factors of the families that have any.")] = 64,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Measure how long folding a history in takes a customer, and how close its lists come to those of a full refit."""
    import tempfile

    from serving.cli.bench.fold_in import Plan, measure
    from serving.cli.bench.synthetic_events import Sizes

    plan = Plan(Sizes(customers, offers, interactions), chosen_families(model), factors, seed)
    with tempfile.TemporaryDirectory(prefix="nbo-bench-") as folder, progress_bar() as progress:
        result = measure(Path(folder), plan, progress)
    emit(result, as_json, _fold_in_lines(result))


def _fold_in_lines(result: Mapping[str, Any]) -> str:
    header = (
        "model",
        "overlap with a refit",
        "of",
        "NDCG@5 refit − fold-in",
        "ms a customer",
        "p99",
        "in a batch",
    )
    rows = []
    for name, found in result["models"].items():
        parity = found["parity"]
        told = ("not measured", "", "") if parity is None else (
            interval(parity["overlap"]), parity["list_length"], interval(parity["difference"], "+"),
        )  # fmt: skip
        rows.append((name, *told, found["single_p50_ms"], found["single_p99_ms"], found["batch_ms"]))
    return table(header, rows)


def memory(
    model: Annotated[str, typer.Option(help="Families with commas, or all.")] = "all",
    offers: Annotated[str, typer.Option(help="Sizes of the catalogue, with commas.")] = "500,5000,25000",
    customers: Annotated[int, typer.Option(min=100, help="Customers.")] = 100_000,
    purchases: Annotated[int, typer.Option(min=1, help="Purchases of each customer.")] = 10,
    memory: MemoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit each family in a process of its own and compare the memory that it needs with what it says before."""
    from serving.cli.bench.memory import Plan, measure

    catalogues = tuple(int(size) for size in offers.split(","))
    plan = Plan(chosen_families(model), catalogues, customers, purchases, memory_bytes(memory))
    with progress_bar() as progress:
        result = measure(plan, progress)
    rows = [
        (fit["model"], fit["offers"], *(_mib(fit[name]) for name in ("needs_bytes", "peak_bytes")),
         fit["said_over_measured"] or "", fit["seconds"] or "not started")
        for fit in result["fits"]
    ]  # fmt: skip
    emit(result, as_json, table(("model", "offers", "says, MiB", "measured, MiB", "says ÷ measured", "seconds"), rows))


def _mib(found: int | None) -> str:
    return "" if found is None else f"{found / 2**20:,.0f}"


def decide(  # one option each
    offers: Annotated[int, typer.Option(min=1, max=5000, help="Offers in the catalogue.")] = 200,
    customers: Annotated[int, typer.Option(min=10, help="Customers in the event log.")] = 10_000,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Open connections when measuring throughput.")] = 8,
    requests: Annotated[int, typer.Option(min=100, help="Requests per measurement.")] = 1500,
    rate: Annotated[float, typer.Option(min=1, help="Requests a second when measuring latency.")] = 50.0,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes of both servers.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the bank and of the load.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Measure a decision over HTTP, and the same server doing only a Redis read and a durable insert."""
    import tempfile

    from serving.cli.bench.decide import Plan, measure

    plan = Plan(offers, customers, concurrency, requests, rate, workers, seed)
    with tempfile.TemporaryDirectory(prefix="nbo-bench-") as folder, progress_bar() as progress:
        result = measure(Path(folder), plan, progress)
    emit(result, as_json)


def rules(
    evaluations: Annotated[int, typer.Option(min=1, help="Evaluations per measurement.")] = 200_000,
    rounds: Annotated[int, typer.Option(min=1, help="How often a rule and the Python beside it take turns.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Measure what typical rules cost in a decision, beside plain Python that computes the same."""
    from serving.cli.bench.rules import measure

    result = measure(evaluations, rounds)
    rows = [(found["rule_ns"], found["python_ns"], found["times_python"], found["rule"]) for found in result["rules"]]
    emit(result, as_json, table(("rule, ns", "Python, ns", "times", "rule"), rows))


def train(  # one option each
    customers: Annotated[int, typer.Option(min=10, help="Customers in the export.")] = 1_000_000,
    offers: Annotated[int, typer.Option(min=10, help="Offers in the export.")] = 500,
    interactions: Annotated[int, typer.Option(min=1000, help="Interactions in the export.")] = 20_000_000,
    factors: Annotated[int, typer.Option(min=1, help="Factors of both fits.")] = 64,
    iterations: Annotated[int, typer.Option(min=1, help="Iterations of both fits.")] = 5,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of everything; all cores by default.")] = None,
    pairs: Annotated[int, typer.Option(min=1, help="How often both fits take turns.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the export and of the fits.")] = 1,
    model: Annotated[str, typer.Option(help="What to fit: als.")] = "als",
    as_json: JsonOption = False,
) -> None:
    """Measure the training matrix through Feast beside a direct read, and our fit beside the library's alone."""
    import os
    import tempfile

    from serving.cli.bench.synthetic_events import Sizes
    from serving.cli.bench.train import Plan, measure

    if model != "als":
        raise typer.BadParameter(f"{model!r} has no library's fit beside it; there is als", param_hint="--model")
    sizes = Sizes(customers, offers, interactions)
    plan = Plan(sizes, factors, iterations, threads or os.cpu_count() or 1, seed, pairs)
    with tempfile.TemporaryDirectory(prefix="nbo-bench-") as folder, progress_bar() as progress:
        result = measure(Path(folder), plan, progress)
    emit(result, as_json)


def spark(  # one option each
    events: Annotated[Path | None, typer.Option(help="Folder of exported events instead of made-up ones.")] = None,
    customers: Annotated[int, typer.Option(min=10, help="Customers in the export.")] = 200_000,
    offers: Annotated[int, typer.Option(min=10, help="Offers in the export.")] = 500,
    interactions: Annotated[int, typer.Option(min=1000, help="Interactions in the export.")] = 2_000_000,
    factors: Annotated[int, typer.Option(min=1, help="Factors of both fits.")] = 64,
    regularization: Annotated[float, typer.Option(min=0.001, help="Regularization of both fits.")] = 30.0,
    repeats: Annotated[int, typer.Option(min=1, help="How often each is fitted.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the export and of the fits.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Measure als on Spark beside als in this process: NDCG@5 on the same later purchases, time and memory."""
    import tempfile

    import numpy as np

    from serving.cli.bench.spark import Plan, measure
    from serving.cli.bench.synthetic_events import Sizes, write_events
    from serving.cli.environment import current_settings

    plan = Plan({"factors": factors, "regularization": regularization}, repeats, seed)
    with tempfile.TemporaryDirectory(prefix="nbo-bench-") as folder, progress_bar() as progress:
        settings = current_settings().model_copy(update={"offline_path": Path(folder) / "offline"})
        if events is None:
            events, rng = Path(folder) / "events", np.random.default_rng(seed)
            sizes = Sizes(customers, offers, interactions)
            write_events(events, sizes, rng, lambda done: progress("write events", done, interactions))
        result = measure(settings, events, plan, progress)
    emit(result, as_json)


def features(  # one option each
    customers: Annotated[int, typer.Option(min=10, help="Customers in the export.")] = 1_000_000,
    interactions: Annotated[int, typer.Option(min=1000, help="Interactions in the export.")] = 5_000_000,
    labels: Annotated[int, typer.Option(min=10, help="Labels to join features to.")] = 500_000,
    reads: Annotated[int, typer.Option(min=10, help="Customers read one by one.")] = 5_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the export.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Measure the feature store: the join beside bare DuckDB, reads beside a bare hash, writes beside Feast's own."""
    import tempfile

    from serving.cli.bench.features import Plan, measure
    from serving.cli.bench.synthetic_events import Sizes

    plan = Plan(Sizes(customers, 500, interactions), labels, reads, seed)
    with tempfile.TemporaryDirectory(prefix="nbo-bench-") as folder, progress_bar() as progress:
        result = measure(Path(folder), plan, progress)
    emit(result, as_json)


def what_if(  # one option each
    customers: Annotated[int, typer.Option(min=1000, help="Customers in memory.")] = 1_000_000,
    offers: Annotated[int, typer.Option(min=1, max=5000, help="Offers, each with a rule of its own.")] = 200,
    logged: Annotated[int, typer.Option(min=0, help="Customers of an event log that is read too; 0: none.")] = 0,
    model: Annotated[str, typer.Option(help="Family of the relevance model.")] = "als",
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Measure a what-if: everybody decided for as today and in one scenario, and reading a base from an event log."""
    import tempfile

    from serving.cli.bench.what_if import Plan, measure

    (family,) = chosen_families(model)[:1]
    plan = Plan(customers, offers, family, seed, logged)
    with tempfile.TemporaryDirectory(prefix="nbo-bench-") as folder, progress_bar() as progress:
        result = measure(Path(folder), plan, progress)
    emit(result, as_json)


def readout(
    units: Annotated[int, typer.Option(min=1000, help="Customers in the campaign.")] = 10_000_000,
    days: Annotated[int, typer.Option(min=8, help="Days over which they were assigned.")] = 28,
    agents: Annotated[int, typer.Option(min=1, help="Agents in whose contacts they were.")] = 500,
    written: Annotated[int, typer.Option(min=10, help="Customers enrolled and answered one by one.")] = 1000,
    database: Annotated[str | None, typer.Option(help="Address of an empty database; default: SQLite.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the read-out of a campaign from its kept totals, beside one query over all of its units."""
    import tempfile

    from serving.cli.bench.readout import Plan, measure

    plan = Plan(units, days, agents, written, database)
    with tempfile.TemporaryDirectory(prefix="nbo-bench-") as folder, progress_bar() as progress:
        result = measure(Path(folder), plan, progress)
    emit(result, as_json)


def fanout(
    consoles: Annotated[int, typer.Option(min=1, help="Open consoles, each following one contact.")] = 200,
    contacts: Annotated[int, typer.Option(min=1, help="Contacts in which events happen.")] = 50,
    events: Annotated[int, typer.Option(min=1, help="Events in all.")] = 300,
    rate: Annotated[float, typer.Option(min=0.1, help="Events a second.")] = 10.0,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Measure how long an event takes to every open console, and to the screen of a real page among them."""
    import tempfile

    from serving.cli.bench.fanout import Plan, measure

    plan = Plan(consoles, contacts, events, rate, seed)
    with tempfile.TemporaryDirectory(prefix="nbo-bench-") as folder, progress_bar() as progress:
        result = measure(Path(folder), plan, progress)
    emit(result, as_json)
