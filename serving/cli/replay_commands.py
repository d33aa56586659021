"""`nbo decisions replay`: stored decisions made once more, and compared to the last byte."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serving.cli.environment import current_settings
from serving.cli.output import JsonOption, Progress, emit, progress_bar

if TYPE_CHECKING:
    from recsys.storage.database import Database
    from serving.archive import Archive

_MOST_NAMED = 20
_STEP = 100


def replay(
    decision_id: Annotated[str | None, typer.Argument(help="The decision's id; or --all.")] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Every stored decision.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a stored decision again from its record, on the versions it names; exits 1 when anything differs."""
    from recsys.storage.database import open_database
    from serving.archive import Archive

    if (decision_id is None) == (not all_of_them):
        raise typer.BadParameter("give the id of a decision, or --all", param_hint="DECISION_ID")
    settings = current_settings()
    database = open_database(settings.event_log_url, settings.calendar)
    try:
        with progress_bar() as progress:
            result = _replay(database, Archive(settings), decision_id, progress)
    finally:
        database.close()
    emit(result, as_json, _lines(result))
    if result["identical"] < result["decisions"]:
        raise typer.Exit(1)


def _replay(database: "Database", archive: "Archive", decision_id: str | None, progress: Progress) -> dict[str, Any]:
    import orjson

    from recsys.domain.errors import NotReplayable
    from serving.decisions.replay import replay as make_again

    done = identical = 0
    different: list[dict[str, Any]] = []
    gone: list[dict[str, str]] = []
    with database.read() as log:
        total = 1 if decision_id else log.decisions_count()
        for text in [log.decision_text(decision_id)] if decision_id else log.decision_texts():
            record = orjson.loads(text)
            try:
                basis = archive.basis_of(record, log)
                result = make_again(text, basis)
            except NotReplayable as error:
                gone.append({"decision_id": record["decision_id"], "reason": str(error)})
            else:
                identical += result.is_identical
                if not result.is_identical:
                    different.append(asdict(result))
            done += 1
            if done % _STEP == 0 or done == total:
                progress("replay", done, total)
    return {
        "decisions": done,
        "identical": identical,
        "different": len(different),
        "not_replayable": len(gone),
        "differences": different[:_MOST_NAMED],
        "reasons": gone[:_MOST_NAMED],
    }


def _lines(result: dict[str, Any]) -> str:
    lines = [
        f"replayed   {result['decisions']:,} decisions: {result['identical']:,} identical, "
        f"{result['different']:,} different, {result['not_replayable']:,} cannot be replayed"
    ]
    for one in result["differences"]:
        lines.append(f"different  {one['decision_id']}")
        lines += [f"           {at['path']}: {at['stored']} → {at['replayed']}" for at in one["differences"]]
    lines += [f"gone       {one['decision_id']}: {one['reason']}" for one in result["reasons"]]
    return "\n".join(lines)
