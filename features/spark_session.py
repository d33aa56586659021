"""A running Spark for the length of a block, and where its workers find what lies in this machine's folders."""

import importlib.util
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from recsys.domain.errors import InvalidInput

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_DEFAULTS = {
    "spark.app.name": "nbo train",
    "spark.driver.memory": "4g",
    "spark.log.level": "ERROR",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.ui.enabled": "false",  # its pages have no sign-in
    "spark.ui.showConsoleProgress": "false",
}
_ALWAYS = {
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",  # else nanoseconds of another kind
    "spark.sql.session.timeZone": "UTC",  # Feast writes moments into its SQL as UTC
}
_THIS_MACHINE = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}


class SparkSettings(Protocol):
    """What a running Spark needs of the service's settings."""

    @property
    def offline(self) -> Path: ...
    @property
    def spark_master(self) -> str: ...
    @property
    def spark_properties(self) -> Mapping[str, str]: ...
    @property
    def spark_offline_address(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Spark:
    """A running `session`, whose workers find what lies below `folder` on this machine below `address`.

    Everything that goes to the workers or comes from them lies in files below `scratch`, a folder in `folder`, so that
    nothing large passes through the memory of the driver.
    """

    session: "SparkSession"
    folder: Path
    address: str
    scratch: Path

    def address_of(self, path: Path | str) -> str:
        """Return where the workers find `path`: below `address`, or at the same path where it lies elsewhere."""
        place = Path(path)
        if place.is_relative_to(self.folder):
            return f"{self.address}/{place.relative_to(self.folder)}"
        return f"file://{place}"

    def new_file(self, name: str) -> Path:
        """Return a path in the scratch folder that nobody uses; its name begins with `name`."""
        return self.scratch / f"{name}-{uuid.uuid4().hex}.parquet"

    def write(self, frame: "DataFrame", name: str) -> Path:
        """Let the workers write `frame` as Parquet, and return the folder of the files."""
        folder = self.new_file(name)
        frame.write.parquet(self.address_of(folder))
        return folder


@contextmanager
def open_spark(settings: SparkSettings) -> Iterator[Spark]:
    """Start Spark as the settings say and stop it at the end of the block.

    Raises InvalidInput, which says what to do, where PySpark or Java is missing or Spark does not start.
    """
    check_spark()
    settings.offline.mkdir(parents=True, exist_ok=True)
    folder = settings.offline.absolute()
    address = (settings.spark_offline_address or f"file://{folder}").rstrip("/")
    scratch = Path(tempfile.mkdtemp(prefix="spark-", dir=folder))
    scratch.chmod(0o777)  # the workers of a cluster may run as somebody else
    try:
        session = _start(settings)
        try:
            spark = Spark(session, folder, address, scratch)
            session.sparkContext.setCheckpointDir(spark.address_of(scratch / "checkpoints"))
            yield spark
        finally:
            session.stop()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def check_spark() -> None:
    """Raise InvalidInput, which says what to install, where PySpark or Java is missing."""
    if importlib.util.find_spec("pyspark") is None:
        said = "`make install-spark`, or pip install nbo[spark]"
        raise InvalidInput(f"Spark needs PySpark, which is not installed: {said}.")
    home = os.environ.get("JAVA_HOME")
    if shutil.which(str(Path(home) / "bin" / "java") if home else "java") is None:
        where = f"JAVA_HOME is {home}, where there is none" if home else "there is none on the path"
        raise InvalidInput(f"Spark needs Java 17 or newer, and {where}: install one, or set JAVA_HOME.")


def _start(settings: SparkSettings) -> "SparkSession":
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

    master = settings.spark_master
    on_this_machine = _THIS_MACHINE if master.startswith("local") else {}
    if on_this_machine:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")  # nor do the workers of local-cluster listen elsewhere
    properties = {**_DEFAULTS, **on_this_machine, **settings.spark_properties, **_ALWAYS}
    conf: Any = SparkConf().setMaster(master).setAll(list(properties.items()))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            session: SparkSession = SparkSession.builder.config(conf=conf).getOrCreate()
    except Exception as error:  # of the Java gateway, the resource manager or the properties, each of its own kind
        reason = str(error).strip().splitlines()[:1]
        raise InvalidInput(f"Spark does not start at {master}: {' '.join(reason)}") from error
    return session
