"""The command `nbo`: puts the groups of commands together and turns errors into one line and exit code 1."""

import os
import sys
import warnings

import typer

from recsys.domain.errors import FeaturesInvalid, NboError
from serving.cli import (
    account_commands,
    backtest_commands,
    bench_commands,
    decision_policy_commands,
    demo_commands,
    experiment_commands,
    features_commands,
    import_commands,
    policy_commands,
    propensity_commands,
    record_commands,
    replay_commands,
    serve_commands,
    simulate_commands,
    traffic_commands,
    train_commands,
    uplift_commands,
    worth_commands,
)

HELP = "Next best offer for a bank's contact centre."
BENCHES: dict[str, object] = {
    "decide": bench_commands.decide,
    "train": bench_commands.train,
    "spark": bench_commands.spark,
    "features": bench_commands.features,
    "fold-in": bench_commands.fold_in,
    "cold-start": bench_commands.cold_start,
    "rules": bench_commands.rules,
    "what-if": bench_commands.what_if,
    "memory": bench_commands.memory,
    "readout": bench_commands.readout,
    "fanout": bench_commands.fanout,
}
FEATURES: dict[str, object] = {
    "apply": features_commands.apply,
    "export": features_commands.export,
    "materialize": features_commands.materialize,
    "skew": features_commands.skew,
    "ui": features_commands.ui,
    "worth": worth_commands.worth,
}
MODELS: dict[str, object] = {
    "list": train_commands.list_models,
    "show": train_commands.show_model,
    "lineage": train_commands.lineage,
    "promote": train_commands.promote,
    "rollback": train_commands.rollback,
}
ACCOUNTS: dict[str, object] = {
    "add": account_commands.add,
    "list": account_commands.list_accounts,
    "remove": account_commands.remove,
}
EXPERIMENTS: dict[str, object] = {
    "analyse": experiment_commands.analyse,
    "uplift": uplift_commands.uplift,
    "srm": experiment_commands.srm,
    "power": experiment_commands.power,
}


def build() -> typer.Typer:
    """Return the command line application."""
    app = typer.Typer(name="nbo", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=HELP)
    app.command("demo")(demo_commands.demo)
    app.command("init")(import_commands.init)
    app.command("import")(import_commands.import_)
    app.add_typer(_group("features", "The feature store.", FEATURES))
    app.command("train")(train_commands.train)
    app.add_typer(_group("models", "Model versions.", MODELS))
    app.add_typer(_group("propensity", "The chance of acceptance.", {"backtest": propensity_commands.backtest}))
    app.command("backtest")(backtest_commands.backtest)
    app.command("simulate")(simulate_commands.simulate)
    app.command("serve")(serve_commands.serve)
    app.command("traffic")(traffic_commands.traffic)
    app.add_typer(_group("policy", "Decision policies.", {
        "show": decision_policy_commands.show,
        "change": decision_policy_commands.change,
        "vocabulary": decision_policy_commands.vocabulary,
        "evaluate": policy_commands.evaluate,
    }))  # fmt: skip
    app.add_typer(_group("experiment", "A/B tests.", EXPERIMENTS))
    app.add_typer(_group("decisions", "Stored decisions.", {
        "show": record_commands.show_decision,
        "replay": replay_commands.replay,
    }))  # fmt: skip
    app.add_typer(_group("customer", "One customer.", {"show": record_commands.show_customer}))
    app.add_typer(_group("accounts", "Who may sign in.", ACCOUNTS))
    app.add_typer(_group("bench", "Measurements.", BENCHES))
    app.command("doctor")(serve_commands.doctor)
    return app


def main() -> None:
    """Run the command line; exits 0 done, 1 failed with a line for each reason, 2 wrong usage."""
    if not sys.warnoptions:
        # Libraries switch their own warnings on as they are imported; they tell developers, not users.
        warnings.showwarning = lambda *_, **__: None
    try:
        build()()
    except FeaturesInvalid as error:
        _fail(*error.problems)
    except NboError as error:
        _fail(str(error))
    except Exception as error:  # a defect, or a part of the system that speaks for itself: still one line
        if "NBO_DEBUG" in os.environ:
            raise
        _fail(f"{type(error).__name__}: {error} (NBO_DEBUG=1 shows where)")


def _fail(*reasons: str) -> None:
    for reason in reasons:
        typer.echo(f"nbo: {' '.join(reason.split())}", err=True)
    sys.exit(1)


def _group(name: str, help_text: str, commands: dict[str, object]) -> typer.Typer:
    group = typer.Typer(name=name, help=help_text, no_args_is_help=True)
    for command, function in commands.items():
        group.command(command)(function)  # type: ignore[type-var]
    return group
