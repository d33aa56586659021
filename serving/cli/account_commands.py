"""`nbo accounts`: who may sign in where NBO_AUTH=local, with which roles."""

from contextlib import closing
from typing import Annotated

import typer

from recsys.domain.role import Role
from serving.cli.environment import current_settings
from serving.cli.output import JsonOption, emit, table

NameArgument = Annotated[str, typer.Argument(help="Name to sign in with.")]
RolesOption = Annotated[list[Role], typer.Option("--role", help="What the account may do; may be given several times.")]
PasswordOption = Annotated[
    str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True, help="Asked for when it is not given.")
]
LEAST_LETTERS = 12


def add(name: NameArgument, role: RolesOption, password: PasswordOption, as_json: JsonOption = False) -> None:
    """Add an account."""
    from recsys.domain.clock import system_clock
    from recsys.storage.database import open_database
    from serving.access import new_account

    if not 0 < len(name) <= 100 or not name.isprintable() or ":" in name:
        raise typer.BadParameter("a name has 1 to 100 printable characters and no colon")
    if len(password) < LEAST_LETTERS:
        raise typer.BadParameter(f"a password has {LEAST_LETTERS} characters or more")
    with closing(open_database(current_settings().event_log_url)) as database:
        database.upgrade()
        with database.transaction() as log:
            log.add_account(new_account(name, password, role, system_clock))
    emit({"name": name, "roles": [one.value for one in role]}, as_json)


def list_accounts(as_json: JsonOption = False) -> None:
    """List every account with its roles."""
    from recsys.storage.database import open_database

    with closing(open_database(current_settings().event_log_url)) as database, database.read() as log:
        accounts = log.accounts()
    rows = [(one.name, ", ".join(one.roles), one.created_at.date().isoformat()) for one in accounts]
    document = {"accounts": [{"name": one.name, "roles": one.roles, "created_at": one.created_at} for one in accounts]}
    emit(document, as_json, table(("name", "roles", "since"), rows))


def remove(name: NameArgument, as_json: JsonOption = False) -> None:
    """Remove an account; its sessions end within seconds."""
    from recsys.storage.database import open_database

    with closing(open_database(current_settings().event_log_url)) as database, database.transaction() as log:
        log.remove_account(name)
    emit({"removed": name}, as_json)
