"""The bundle: one trained model version as plain arrays and JSON, checked completely before it may score."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.domain.errors import BundleRefused
from recsys.interactions.matrix import InteractionMatrix
from recsys.interactions.side_features import NOTHING_KNOWN, About, FeatureSpace, SideFeatures
from recsys.models.base import RelevanceModel
from recsys.models.canary import HISTORIES, Case, check_canary, record_canary
from recsys.models.families import FAMILIES
from recsys.models.sealed_files import canonical_json, open_sealed, read_arrays, read_json, seal, write_arrays

ARRAYS, OFFERS, FACTS, CANARY = "arrays.npz", "offers.json", "facts.json", "canary.json"
FILES = (ARRAYS, OFFERS, FACTS, CANARY)
_FORMAT = 2
_LARGEST_NUMBER = 1e6
_STANDARDISED_CUSTOMERS = 5_000


@dataclass(frozen=True, slots=True)
class Scale:
    """Mean and standard deviation that make raw scores comparable between model versions."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, scores: NDArray[np.float32]) -> "Scale":
        """Return the scale of `scores`; deviation 1 where they are all the same."""
        return cls(float(scores.mean(dtype=np.float64)), float(scores.std(dtype=np.float64)) or 1.0)

    def standardise(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return `scores` with mean 0 and deviation 1 over what the scale was taken of."""
        return np.asarray((scores - self.mean) / self.deviation, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """What training found beside the model: offer → (accepted, answered), and which events it used (JSON values)."""

    answer_counts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    window: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Bundle:
    """One model version in use: offers go by id, scores are standardised.

    An offer that training did not know is scored by its facts where the model can, else 0, the mean. `version`
    names the content: the same training data, parameters and seed give the same version.
    `answer_counts` is offer → (accepted, answered) up to the training's end.
    """

    version: str
    model: RelevanceModel
    offer_ids: tuple[str, ...]
    scale: Scale
    popularity_scale: Scale
    answer_counts: Mapping[str, tuple[int, int]]
    manifest: Mapping[str, Any]
    customer_space: FeatureSpace = field(default_factory=FeatureSpace)
    offer_space: FeatureSpace = field(default_factory=FeatureSpace)
    _columns: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_columns", {offer: column for column, offer in enumerate(self.offer_ids)})

    @property
    def model_name(self) -> str:
        """The family of the model, as `nbo train --model` names it."""
        return self.model.name

    @property
    def uses_facts(self) -> bool:
        """Whether the facts of a customer change their scores."""
        return self.model.uses_facts

    def score(
        self, history: Mapping[str, float], offer_ids: Sequence[str], about: About = NOTHING_KNOWN
    ) -> NDArray[np.float32]:
        """Return the relevance (m,) of `offer_ids` for a customer with `history` (offer → weight).

        Mean 0 and deviation 1 over the training customers and all offers. Where nothing the model can use
        is known, neither of the history nor of the customer's facts, that is the popularity answer.
        """
        row, customer = self._row(history), self._customer(about)
        if row.nnz == 0 and (customer is None or customer.nnz == 0):
            return self.popularity(offer_ids)
        known, columns = self._known(offer_ids)
        scores = self._spread(known, self.scale.standardise(self.model.score(row, columns, customer)[0]))
        new = [place for place in np.flatnonzero(~known).tolist() if offer_ids[place] in about.offers]
        if new:
            facts = self.offer_space.encode([about.offers[offer_ids[place]] for place in new])
            estimated = self.model.score_new(row, facts, customer)
            if estimated is not None:
                scores[new] = self.scale.standardise(estimated[0])
        return scores

    def popularity(self, offer_ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the non-personalised relevance (m,): mean 0 and deviation 1 over all offers."""
        known, columns = self._known(offer_ids)
        return self._spread(known, self.popularity_scale.standardise(self.model.popularity[columns]))

    def contributions(
        self, history: Mapping[str, float], offer_id: str, about: About = NOTHING_KNOWN
    ) -> list[tuple[str, float]]:
        """Return history offer → its additive share of the score of `offer_id`, the largest first.

        The rest of the score comes from the offer itself and the customer's facts; empty where popularity
        answers or training did not know the offer.
        """
        row, column = self._row(history), self._columns.get(offer_id)
        if row.nnz == 0 or column is None:
            return []
        shares = self.model.contributions(row, column, self._customer(about)).shares
        standardised = [(self.offer_ids[place], share / self.scale.deviation) for place, share in shares.items()]
        return sorted(standardised, key=lambda entry: (-abs(entry[1]), entry[0]))

    def _customer(self, about: About) -> csr_matrix | None:
        return self.customer_space.encode([about.customer]) if self.model.uses_facts else None

    def _row(self, history: Mapping[str, float]) -> csr_matrix:
        known = sorted((self._columns[o], weight) for o, weight in history.items() if weight > 0 and o in self._columns)
        columns = np.array([column for column, _ in known], dtype=np.int32)
        weights = np.array([weight for _, weight in known], dtype=np.float32)
        return csr_matrix((weights, columns, np.array([0, len(known)], dtype=np.int32)), shape=(1, len(self.offer_ids)))

    def _known(self, offer_ids: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
        """Return which of the offers the model knows, and their columns."""
        columns = np.fromiter(map(self._columns.get, offer_ids, repeat(-1)), np.intp, len(offer_ids))
        known = columns >= 0
        return known, columns[known]

    def _spread(self, known: NDArray[np.bool_], scores: NDArray[np.float32]) -> NDArray[np.float32]:
        if known.all():
            return scores
        spread = np.zeros(len(known), dtype=np.float32)
        spread[known] = scores
        return spread


def save_bundle(
    directory: Path,
    model: RelevanceModel,
    interactions: InteractionMatrix,
    rng: np.random.Generator,
    facts: TrainingFacts | None = None,
    side_features: SideFeatures | None = None,
) -> Bundle:
    """Write the fitted `model` into the new folder `directory` and return it as `load_bundle` reads it back.

    `interactions` and `side_features` are those it was fitted on; `rng` draws the customers for scales and
    canary. Raises FileExistsError, and BundleRefused when the model does not pass its own checks.
    """
    directory.mkdir(parents=True)
    facts = facts or TrainingFacts()
    scale = Scale.of(_score_sample(model, interactions, side_features, rng))
    popularity_scale = Scale.of(model.popularity)
    spaces = _spaces(side_features)
    unsealed = Bundle("", model, interactions.offer_ids, scale, popularity_scale, {}, {}, *spaces)
    cases = _cases(interactions, side_features, rng)
    counts = {offer: list(count) for offer, count in facts.answer_counts.items()}
    offers = {"offer_ids": interactions.offer_ids, "answer_counts": counts}
    documents = {
        OFFERS: offers,
        FACTS: {"customers": spaces[0].to_json(), "offers": spaces[1].to_json()},
        CANARY: record_canary(unsealed.score, cases, unsealed.offer_ids),
    }
    write_arrays(directory / ARRAYS, model.to_arrays())
    for name, document in documents.items():
        (directory / name).write_bytes(canonical_json(document))
    manifest = {
        "format": _FORMAT,
        "model": model.name,
        "parameters": model.parameters(),
        "scale": [scale.mean, scale.deviation],
        "popularity_scale": [popularity_scale.mean, popularity_scale.deviation],
        "canaries": len(cases),
        "training": dict(facts.window),
    }
    seal(directory, FILES, manifest)
    return load_bundle(directory)


def _score_sample(
    model: RelevanceModel, interactions: InteractionMatrix, side: SideFeatures | None, rng: np.random.Generator
) -> NDArray[np.float32]:
    rows = _sample(interactions.matrix.shape[0], _STANDARDISED_CUSTOMERS, rng)
    customers = side.customers[rows] if side else None
    return model.score(interactions.matrix[rows], np.arange(len(interactions.offer_ids)), customers)


def _spaces(side: SideFeatures | None) -> tuple[FeatureSpace, FeatureSpace]:
    return (side.customer_space, side.offer_space) if side else (FeatureSpace(), FeatureSpace())


def _cases(interactions: InteractionMatrix, side: SideFeatures | None, rng: np.random.Generator) -> list[Case]:
    """Return customers of the training data with their facts, every third asked for an offer known by facts only."""
    matrix, offer_ids = interactions.matrix, interactions.offer_ids
    cases = []
    for number, row in enumerate(_sample(matrix.shape[0], HISTORIES, rng)):
        one = matrix[row]
        history = {offer_ids[c]: round(float(weight), 6) for c, weight in zip(one.indices, one.data, strict=True)}
        if side is None:
            cases.append(Case(history, {}, {}))
            continue
        resembled = side.offers[int(rng.integers(len(offer_ids)))]
        new = {f"new offer {number}": side.offer_space.decode(resembled)} if number % 3 == 0 else {}
        cases.append(Case(history, side.customer_space.decode(side.customers[row]), new))
    return cases


def _sample(count: int, most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return np.arange(count) if count <= most else np.sort(rng.choice(count, most, replace=False))


def load_bundle(directory: Path, version: str | None = None) -> Bundle:
    """Return the bundle in `directory` after every check; raises BundleRefused that names the failed one.

    Checked: that it is `version`, where given; sizes and SHA-256 of every file, array kinds, shapes and
    finiteness, ids, scales, the canary.
    """
    manifest, content = open_sealed(directory, FILES)
    found = f"m-{hashlib.sha256(content).hexdigest()[:12]}"
    if version not in (None, found):
        raise BundleRefused(f"version: the files are those of {found}, not of {version}")
    offer_ids, answer_counts = _read_offers(directory)
    customer_space, offer_space = _read_spaces(directory)
    arrays = read_arrays(directory / ARRAYS)
    _check_numbers(arrays)
    try:
        if manifest["format"] != _FORMAT:
            raise BundleRefused(f"format: {manifest['format']} is not {_FORMAT}")
        model = FAMILIES[manifest["model"]].from_arrays(arrays, manifest["parameters"])
        scale, popularity_scale = (_read_scale(manifest[name]) for name in ("scale", "popularity_scale"))
        canaries = int(manifest["canaries"])
    except (KeyError, ValueError, TypeError, np.linalg.LinAlgError) as error:
        raise BundleRefused(f"shapes: arrays, parameters or scales do not fit ({error})") from error
    if model.popularity.shape != (len(offer_ids),):
        raise BundleRefused(f"ids: {len(offer_ids)} offers for {model.popularity.size} columns")
    bundle = Bundle(
        found, model, offer_ids, scale, popularity_scale, answer_counts, manifest, customer_space, offer_space
    )
    try:
        check_canary(bundle.score, read_json(directory / CANARY), offer_ids, canaries)
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise BundleRefused(f"canary: the model cannot score ({error})") from error
    return bundle


def _read_offers(directory: Path) -> tuple[tuple[str, ...], dict[str, tuple[int, int]]]:
    document = read_json(directory / OFFERS)
    try:
        offer_ids = tuple(document["offer_ids"])
        counts = {str(o): (int(taken), int(asked)) for o, (taken, asked) in document["answer_counts"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleRefused("ids: offers.json is unreadable") from error
    if not offer_ids or not all(isinstance(offer, str) for offer in offer_ids):
        raise BundleRefused("ids: every offer id is text, and there is at least one")
    if len(set(offer_ids)) != len(offer_ids):
        raise BundleRefused("ids: an offer id appears twice")
    if not all(0 <= taken <= asked for taken, asked in counts.values()):
        raise BundleRefused("ids: an offer was accepted more often than it was answered")
    return offer_ids, counts


def _read_spaces(directory: Path) -> tuple[FeatureSpace, FeatureSpace]:
    document = read_json(directory / FACTS)
    try:
        return FeatureSpace.from_json(document["customers"]), FeatureSpace.from_json(document["offers"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleRefused("facts: facts.json is unreadable") from error


def _check_numbers(arrays: Mapping[str, NDArray[Any]]) -> None:
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            continue
        if not np.isfinite(array).all():
            raise BundleRefused(f"finiteness: {name} contains NaN or infinity")
        if array.size and not 0 < np.abs(array).max() <= _LARGEST_NUMBER:
            raise BundleRefused(f"norms: {name} is all zero or larger than any real one")


def _read_scale(numbers: Sequence[float]) -> Scale:
    mean, deviation = (float(number) for number in numbers)
    if not (np.isfinite(mean) and 0 < deviation < np.inf):
        raise ValueError("a scale is a finite mean and a positive deviation")
    return Scale(mean, deviation)
