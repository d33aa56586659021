"""`nbo serve` and `nbo doctor`: start the service, and say which parts of it can be reached."""

import ipaddress
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys.domain.errors import SettingsInvalid
from recsys.domain.protection import UNREADABLE
from serving.cli.environment import current_settings
from serving.cli.output import JsonOption, emit
from serving.cli.own_features_check import check_own_features

if TYPE_CHECKING:
    from serving.settings import Settings

_UNKNOWN_LISTED = 20
HostOption = Annotated[str, typer.Option(help="Address to listen on.")]
PortOption = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]
WorkersOption = Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")]


def serve(
    host: HostOption = "127.0.0.1", port: PortOption = 8000, workers: WorkersOption = 1, as_json: JsonOption = False
) -> None:
    """Start the service; Ctrl-C stops it."""
    settings = current_settings()
    check_exposure(settings, host)
    check_port(host, port)
    addresses = {page: f"http://{host}:{port}/{page}" for page in ("agent", "marketing", "science", "docs")}
    emit({"listening": f"http://{host}:{port}", **addresses}, as_json)
    run_server(settings, host, port, workers)


def run_server(settings: "Settings", host: str, port: int, workers: int) -> None:
    """Serve until stopped, with an embedded Redis where none is configured."""
    import uvicorn

    from serving.embedded_redis import redis_of

    settings.home.mkdir(parents=True, exist_ok=True)
    with redis_of(settings) as redis_url:
        os.environ["NBO_REDIS_URL"] = redis_url
        if workers > 1:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_empty_folder(settings.home / "metrics"))
        uvicorn.run(
            "serving.app:app_from_environment",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=2,
        )


def check_exposure(settings: "Settings", host: str) -> None:
    """Refuse to serve without sign-in anywhere but on this machine, and the mode that does not exist yet."""
    if settings.auth == "oidc":
        raise SettingsInvalid("NBO_AUTH=oidc is not built yet; local has accounts of its own (`nbo accounts add`).")
    if settings.auth == "demo" and host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise SettingsInvalid("NBO_AUTH=demo has no sign-in, so it listens on 127.0.0.1 only.")


def check_port(host: str, port: int) -> None:
    """Refuse a port that is taken, before anything is started."""
    import socket

    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsInvalid(f"Port {port} is taken or not allowed; choose another with --port.") from error


def doctor(as_json: JsonOption = False) -> None:
    """Say which parts are reachable and what to do about the others; exits 1 when one the service needs is not."""
    settings = current_settings()
    checks: dict[str, Callable[[Settings], str]] = {
        "event log": _check_event_log,
        "redis": _check_redis,
        "catalogue": _check_catalogue,
        "vocabulary": _check_vocabulary,
        "protections": _check_protections,
        "feature registry": _check_feature_registry,
        "features online": _check_features_online,
        "own features": check_own_features,
        "model registry": _check_model_registry,
        "model on disk": _check_bundle,
        "console files": _check_console_files,
    }
    parts = {}
    for name, check in checks.items():
        try:
            parts[name] = {"ok": True, "says": check(settings)}
        except Exception as error:  # whatever is wrong with a part is the answer
            parts[name] = {"ok": False, "says": " ".join(str(error).split())[:300] or type(error).__name__}
    lines = "\n".join(f"{'ok  ' if part['ok'] else 'FAIL'}  {name:<17} {part['says']}" for name, part in parts.items())
    is_well = all(part["ok"] for part in parts.values())
    emit({"ok": is_well, "home": str(settings.home.absolute()), "parts": parts}, as_json, lines)
    if not is_well:
        raise typer.Exit(1)


def _check_event_log(settings: "Settings") -> str:
    from recsys.storage.database import open_database

    if settings.database_url is None and not (settings.home / "nbo.db").exists():
        raise SettingsInvalid("There is no event log yet; run `nbo init`, `nbo import DIR` or `nbo demo`.")
    database = open_database(settings.event_log_url, settings.calendar)
    with database.read() as log:
        counts = log.counts()
    database.close()
    return f"{counts['customers']} customers, {counts['interactions']} interactions, {counts['decisions']} decisions"


def _check_redis(settings: "Settings") -> str:
    import redis

    from serving.embedded_redis import redis_of

    with redis_of(settings, stop_at_exit=True) as url:
        client = redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)
        server: Any = client.info("server")
        client.close()
    return f"redis-server {server['redis_version']}" + ("" if settings.redis_url else ", embedded")


def _check_vocabulary(settings: "Settings") -> str:
    from recsys.storage.database import open_database
    from serving.in_force import PolicyInService

    database = open_database(settings.event_log_url)
    with database.read() as log:
        words, unknown = PolicyInService().current(log).words, log.unknown_words()
    database.close()
    if not unknown:
        return "every word that came in for a channel or a reason is known"
    listed = [
        f"{one.part} “{one.word}” {one.times:,} times" + (f" (nearest: {near})" if near else "")
        for one in unknown[:_UNKNOWN_LISTED]
        for near in [words.nearest_channel(one.word) if one.part == "channel" else words.nearest_need(one.word)]
    ]
    more = f" and {len(unknown) - len(listed)} more" if len(unknown) > len(listed) else ""
    return f"{len(unknown)} unknown words: {', '.join(listed)}{more}; say what they mean with `nbo policy vocabulary`"


def _check_protections(settings: "Settings") -> str:
    from recsys.storage.database import open_database

    database = open_database(settings.event_log_url)
    with database.read() as log:
        held = log.held_customers(_UNKNOWN_LISTED)
        count = log.flagged_count(UNREADABLE)
    database.close()
    if not count:
        return "everything that protects customers could be read"
    more = ", …" if count > len(held) else ""
    return (
        f"{count:,} customers are not sold to because something that protects them could not be read "
        f"({', '.join(held)}{more}); `nbo customer show ID` says what"
    )


def _check_catalogue(settings: "Settings") -> str:
    from recsys.storage.database import open_database

    database = open_database(settings.event_log_url, settings.calendar)
    with database.read() as log:
        saved = log.latest_catalogue()
    database.close()
    if not saved:
        raise SettingsInvalid("No offers yet; import an offers file or POST /v1/offers.")
    return f"{len(saved.offers)} offers, version {saved.version}"


def _check_feature_registry(settings: "Settings") -> str:
    if settings.database_url is None and not (settings.home / "feast" / "registry.db").exists():
        raise SettingsInvalid("The feature store is not set up; run `nbo features export`, `apply`, `materialize`.")
    return "applied"


def _check_features_online(settings: "Settings") -> str:
    from features.feast_store import read_markers
    from features.online_marker import Marker
    from serving.embedded_redis import redis_of
    from serving.features_missing import FAILED_ADVICE

    with redis_of(settings, stop_at_exit=True) as url:
        stored, others = read_markers(settings, url)
    beside = (
        f" (this Redis has features of other homes too, of {others}; this one does not read them)" if others else ""
    )
    marker = Marker.of_json(stored)
    if marker is None:
        raise SettingsInvalid(
            f"The online store was emptied, or never filled{beside}: decisions rank without features; "
            "run `nbo features materialize`."
        )
    if marker.failed:
        said = "; ".join(f"{view}: {problem}" for view, problem in sorted(marker.failed.items()))
        raise SettingsInvalid(f"Views of the bank's own are not up to date: {said}; {FAILED_ADVICE}.")
    return f"everybody's as of {marker.as_of:%Y-%m-%d %H:%M} UTC{beside}"


def _check_model_registry(settings: "Settings") -> str:
    from training.registry import Registry

    if settings.mlflow_tracking_uri is None and not (settings.home / "mlflow" / "mlflow.db").exists():
        raise SettingsInvalid("No model was trained yet; run `nbo train --promote-if-better`.")
    champion = Registry(settings.tracking_uri).champion()
    if champion is None:
        raise SettingsInvalid("No model version is champion; run `nbo models promote V`.")
    return f"champion is version {champion}"


def _check_bundle(settings: "Settings") -> str:
    import json

    from recsys.models.bundle_files import load_bundle

    pointer = settings.bundles / "champion.json"
    if not pointer.exists():
        return "none yet; `nbo serve` fetches the champion by itself"
    bundle = load_bundle(settings.bundles / json.loads(pointer.read_text())["version"])
    return f"version {bundle.version} ({bundle.model_name}, {len(bundle.offer_ids)} offers) passes its checks"


def _check_console_files(settings: "Settings") -> str:
    vendor = Path(__file__).parents[1] / "consoles" / "static" / "vendor"
    if not any(vendor.glob("*.js")):
        raise SettingsInvalid("The pages' scripts are missing; run `make install`.")
    return "in place"


def _empty_folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for file in path.glob("*.db"):
        file.unlink()
    return path
