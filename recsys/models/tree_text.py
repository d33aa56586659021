"""Boosted trees in LightGBM's text format: looked through completely before LightGBM itself may parse them."""

import re
from collections.abc import Mapping
from typing import Any

from recsys.domain.errors import BundleRefused

MOST_CHARACTERS = 64 * 2**20
_END = "end of trees\n"
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]{1,3})?")
_INTEGER = re.compile(r"-?[0-9]{1,9}")
_RANGE = re.compile(rf"none|\[({_NUMBER.pattern}):({_NUMBER.pattern})\]")
_HEADER = {
    "tree": "",
    "version": "v4",
    "num_class": "1",
    "num_tree_per_iteration": "1",
    "label_index": "0",
    "objective": "binary sigmoid:1",
}
_PER_NODE = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child",
             "internal_value", "internal_weight", "internal_count")  # fmt: skip
_PER_LEAF = ("leaf_value", "leaf_weight", "leaf_count")
_DECISIONS = {0, 2, 4, 6, 8, 10}
"""Numeric splits, for every treatment of what is unknown; odd ones are categorical."""


def saved_text(booster: Any) -> str:
    """Return the text of a booster up to the last tree: what follows is of no use to scoring."""
    text: str = booster.model_to_string(num_iteration=-1)
    return text.partition(_END)[0] + _END


def load_trees(text: str, trees: int, signals: int) -> Any:
    """Return the LightGBM booster of a text that `check_tree_text` has passed; single-threaded."""
    check_tree_text(text, trees, signals)
    import lightgbm

    try:
        booster = lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as error:
        raise BundleRefused(f"trees: {error}") from error
    if booster.num_trees() != trees or booster.num_feature() != signals:
        raise BundleRefused("trees: LightGBM reads other trees than were saved")
    return booster


def check_tree_text(text: str, trees: int, signals: int) -> None:
    """Raise BundleRefused unless `text` is `trees` sound numeric trees over `signals` columns, and nothing else.

    LightGBM's own parser trusts what it reads – sizes, counts, indices – and ends the process where they are wrong.
    So every line must be one that LightGBM writes, with as many finite numbers as it must have. A child that is a
    node comes after its parent, so that every walk ends.
    """
    try:
        if len(text) > MOST_CHARACTERS or not text.isascii() or not text.endswith(_END) or text.count(_END) != 1:
            raise ValueError("not the text of trees, or larger than any real one")
        head, *blocks = text.removesuffix(_END).split("\nTree=")
        if len(blocks) != trees or trees < 1:
            raise ValueError(f"{len(blocks)} trees instead of {trees}")
        sizes = [len("Tree=\n") + len(block) for block in blocks[:-1]] + [len("Tree=") + len(blocks[-1])]
        _check_header(_entries(head), signals, sizes)
        for number, block in enumerate(blocks):
            first, _, rest = block.partition("\n")
            if first != str(number):
                raise ValueError("trees are not in order")
            _check_tree(_entries(rest), signals)
    except (KeyError, ValueError, IndexError) as error:
        raise BundleRefused(f"trees: {error}") from error


def _entries(block: str) -> dict[str, str]:
    lines = [line for line in block.split("\n") if line]
    entries = {name: value for name, _, value in (line.partition("=") for line in lines)}
    if len(entries) != len(lines):
        raise ValueError("a line comes twice")
    return entries


def _check_header(header: Mapping[str, str], signals: int, sizes: list[int]) -> None:
    lists = ("max_feature_idx", "feature_names", "feature_infos", "tree_sizes")
    if set(header) - {"monotone_constraints"} != {*_HEADER, *lists}:
        raise ValueError("the header has other lines")
    if any(header[name] != value for name, value in _HEADER.items()):
        raise ValueError("the header is not that of one model of yes and no")
    if header["max_feature_idx"] != str(signals - 1):
        raise ValueError("the header is of other signals")
    if _integers(header, "tree_sizes", len(sizes)) != sizes:
        raise ValueError("the sizes of the trees are not those they have")
    if header["feature_names"].split(" ") != [f"Column_{place}" for place in range(signals)]:
        raise ValueError("signals have other names")
    infos = header["feature_infos"].split(" ")
    if len(infos) != signals or not all(map(_RANGE.fullmatch, infos)):
        raise ValueError("the range of a signal is none")
    if "monotone_constraints" in header:
        _integers(header, "monotone_constraints", signals)


def _check_tree(tree: Mapping[str, str], signals: int) -> None:
    leaves = _integers(tree, "num_leaves", 1)[0]
    if set(tree) != {"num_leaves", "num_cat", *_PER_NODE, *_PER_LEAF, "is_linear", "shrinkage"} or leaves < 1:
        raise ValueError("a tree has other lines")
    if tree["num_cat"] != "0" or tree["is_linear"] != "0":
        raise ValueError("a tree is not a plain numeric one")
    _numbers(tree, "shrinkage", 1)
    if leaves == 1:
        for name in ("leaf_value", "leaf_count"):
            _numbers(tree, name, 1)
        if any(tree[name] for name in (*_PER_NODE, "leaf_weight")):
            raise ValueError("a tree of one leaf has nodes")
        return
    for name in (*_PER_NODE, *_PER_LEAF):
        _numbers(tree, name, leaves if name in _PER_LEAF else leaves - 1)
    if not all(0 <= column < signals for column in _integers(tree, "split_feature", leaves - 1)):
        raise ValueError("a tree asks for a signal that is not there")
    if not set(_integers(tree, "decision_type", leaves - 1)) <= _DECISIONS:
        raise ValueError("a tree decides in another way")
    _integers(tree, "leaf_count", leaves)
    _integers(tree, "internal_count", leaves - 1)
    _check_shape(*(_integers(tree, name, leaves - 1) for name in ("left_child", "right_child")))


def _check_shape(left: list[int], right: list[int]) -> None:
    """Raise ValueError unless nodes and leaves hang together as one tree, rooted in the first node."""
    nodes = len(left)
    children = [*enumerate(left), *enumerate(right)]
    if sorted(child for _, child in children) != [*range(-nodes - 1, 0), *range(1, nodes)]:
        raise ValueError("a tree's nodes do not hang together")
    if any(0 <= child <= parent for parent, child in children):
        raise ValueError("a tree goes round in a circle")


def _numbers(entries: Mapping[str, str], name: str, count: int) -> list[str]:
    words = entries[name].split(" ")
    if len(words) != count or not all(map(_NUMBER.fullmatch, words)):
        raise ValueError(f"{name} is not {count} finite numbers")
    return words


def _integers(entries: Mapping[str, str], name: str, count: int) -> list[int]:
    words = entries[name].split(" ")
    if len(words) != count or not all(map(_INTEGER.fullmatch, words)):
        raise ValueError(f"{name} is not {count} whole numbers")
    return [int(word) for word in words]
