"""The tree of the five packages, each module with the sentence of its docstring."""

from pathlib import Path

from tests.architecture.modules import PACKAGES, Module, product_modules


def package_tree() -> str:
    """Return the tree as Markdown: a section a package, a nested list of its modules."""
    return "\n".join(_section(package) for package in PACKAGES)


def _section(package: str) -> str:
    modules = [module for module in product_modules() if module.path.parts[0] == package and not _is_empty(module)]
    sentence = next(module.sentence for module in modules if module.path == Path(package, "__init__.py"))
    lines = [_entry(module) for module in modules if module.path != Path(package, "__init__.py")]
    return "\n".join([f"### {package}/", "", sentence, "", *lines, ""]).rstrip() + "\n"


def _entry(module: Module) -> str:
    is_package = module.path.name == "__init__.py"
    depth = len(module.path.parts) - (3 if is_package else 2)
    name = f"{module.path.parent.name}/" if is_package else module.path.name
    return f"{'  ' * depth}- `{name}`: {module.sentence}"


def _is_empty(module: Module) -> bool:
    return not module.text.strip()
