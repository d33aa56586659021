"""Boosted trees in LightGBM's text format: looked through completely before LightGBM itself may parse them."""

import math
from typing import Any

from recsys.domain.errors import BundleRefused

MOST_CHARACTERS = 64 * 2**20
_END = "end of trees"


def check_tree_text(text: str, trees: int, signals: int) -> None:
    """Raise BundleRefused unless `text` is `trees` sound numeric trees over `signals` columns.

    LightGBM's own parser trusts what it reads and may end the process: so lengths, indices and finiteness are
    checked first. A child that is a node comes after its parent, so that every walk ends.
    """
    head, *blocks = text.partition(_END)[0].split("\nTree=")
    try:
        header = _entries(head)
        found = (header["num_class"], header["num_tree_per_iteration"], header["max_feature_idx"])
        if len(text) > MOST_CHARACTERS or _END not in text or found != ("1", "1", str(signals - 1)):
            raise ValueError("the header is not that of one model over these signals")
        if len(blocks) != trees:
            raise ValueError(f"{len(blocks)} trees instead of {trees}")
        for block in blocks:
            _check_tree(_entries(block), signals)
    except (KeyError, ValueError, IndexError) as error:
        raise BundleRefused(f"trees: {error}") from error


def load_trees(text: str, trees: int, signals: int) -> Any:
    """Return the LightGBM booster of a text that `check_tree_text` has passed; single-threaded."""
    import lightgbm

    check_tree_text(text, trees, signals)
    try:
        booster = lightgbm.Booster(model_str=text, params={"num_threads": 1, "verbosity": -1})
    except lightgbm.basic.LightGBMError as error:
        raise BundleRefused(f"trees: {error}") from error
    if booster.num_trees() != trees or booster.num_feature() != signals:
        raise BundleRefused("trees: LightGBM reads other trees than were saved")
    return booster


def _entries(block: str) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in block.splitlines())}


def _check_tree(tree: dict[str, str], signals: int) -> None:
    leaves = int(tree["num_leaves"])
    if leaves < 1 or tree["num_cat"] != "0" or tree.get("is_linear", "0") != "0":
        raise ValueError("a tree is not a plain numeric one")
    _numbers(tree, "leaf_value", leaves)
    if leaves == 1:
        return
    _numbers(tree, "threshold", leaves - 1)
    _numbers(tree, "split_gain", leaves - 1)
    if not all(0 <= column < signals for column in _integers(tree, "split_feature", leaves - 1)):
        raise ValueError("a tree asks for a signal that is not there")
    _integers(tree, "decision_type", leaves - 1)
    children = [*enumerate(_integers(tree, "left_child", leaves - 1))]
    children += enumerate(_integers(tree, "right_child", leaves - 1))
    if sorted(child for _, child in children) != [*range(-leaves, 0), *range(1, leaves - 1)]:
        raise ValueError("a tree's nodes do not hang together")
    if any(0 <= child <= parent for parent, child in children):
        raise ValueError("a tree goes round in a circle")


def _numbers(tree: dict[str, str], name: str, count: int) -> list[float]:
    numbers = [float(word) for word in tree[name].split()]
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{name} of a tree is not {count} finite numbers")
    return numbers


def _integers(tree: dict[str, str], name: str, count: int) -> list[int]:
    numbers = [int(word) for word in tree[name].split()]
    if len(numbers) != count:
        raise ValueError(f"{name} of a tree is not {count} numbers")
    return numbers
