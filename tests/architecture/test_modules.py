"""Size, docstrings and what no module may do; exceptions are named here, each with its reason."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.modules import ROOT, Module, modules_below, product_modules

MOST_LINES_OF_A_FILE = 450
MOST_LINES_OF_A_FUNCTION = 40

LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
OTHER_EXCEPTIONS: dict[str, str] = {
    "features/breaker.py:BreakerOpen": "never leaves features: the gateway answers FeaturesUnavailable",
    "features/own_calls.py:_Overdue": "ends a thread of a bank's function, and is caught at its end",
    "serving/own_questions.py:NotAskedYet": "never leaves a request: its function is asked, and the work begins again",
    "features/own_tables.py:_Refused": "never leaves the building of own tables: it becomes lines of what is wrong",
    "serving/cli/service_line.py:Gone": "never leaves the simulated centre, which is a client of the service",
    "recsys/storage/import_rows.py:BadRow": "never leaves the import: it becomes a line of rejected.csv",
}

UNSAFE_MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__"}
UNSAFE_METHODS = {"load_model", "unsafe_load", "full_load", "read_pickle", "to_pickle"}
TIME_QUESTIONS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}

EVERY_MODULE = [pytest.param(module, id=str(module.path)) for module in product_modules()]


def functions_of(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, the docstring not counted."""
    documented = ast.get_docstring(function) is not None
    docstring = function.body[0] if documented else None
    documentation = (docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - documentation


def dotted(node: ast.expr) -> str:
    """Return "a.b" for an attribute of a name, "b" for one of anything else."""
    if isinstance(node, ast.Attribute):
        return f"{node.value.id}.{node.attr}" if isinstance(node.value, ast.Name) else node.attr
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize("module", EVERY_MODULE)
def test_every_module_says_in_one_sentence_what_it_is_for(module: Module) -> None:
    if module.text.strip():
        following = module.docstring.split("\n")[1:2]
        assert module.sentence.endswith("."), "the docstring's first line is one sentence with a full stop"
        assert following in ([], [""]), "the sentence fits on one line; more may follow after an empty one"


def test_no_file_is_longer_than_the_ceiling() -> None:
    files = (*product_modules(), *modules_below(ROOT / "tests"))
    long = {str(file.path) for file in files if len(file.text.splitlines()) > MOST_LINES_OF_A_FILE}
    assert long == LONG_FILES.keys()


def test_no_function_is_longer_than_the_ceiling() -> None:
    long = {
        f"{module.path}:{function.name}": length(function)
        for module in product_modules()
        for function in functions_of(module)
        if length(function) > MOST_LINES_OF_A_FUNCTION
    }
    assert long.keys() == LONG_FUNCTIONS.keys(), long


@pytest.mark.parametrize("module", EVERY_MODULE)
def test_nothing_runs_code_that_came_as_data(module: Module) -> None:
    found = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found |= UNSAFE_MODULES & {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= UNSAFE_MODULES & {(node.module or "").partition(".")[0]}
        elif isinstance(node, ast.Call):
            found |= UNSAFE_CALLS & ({node.func.id} if isinstance(node.func, ast.Name) else set())
            found |= UNSAFE_METHODS & {dotted(node.func).rpartition(".")[2]}
            found |= {word.arg for word in node.keywords if word.arg in ("allow_pickle", "shell") and _is_true(word)}
    assert not found


def _is_true(keyword: ast.keyword) -> bool:
    return not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)


def test_only_the_clock_asks_for_the_time() -> None:
    asking = {
        str(module.path)
        for module in product_modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and dotted(node.func) in TIME_QUESTIONS
    }
    assert asking == {"recsys/domain/clock.py"}


def test_errors_are_defined_in_one_place() -> None:
    """A class that derives from something called …Error or Exception is an error."""
    elsewhere = {
        f"{module.path}:{node.name}"
        for module in product_modules()
        if module.path.parts != ("recsys", "domain", "errors.py")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and any(dotted(base).endswith(("Error", "Exception")) for base in node.bases)
    }
    assert elsewhere == OTHER_EXCEPTIONS.keys()
