"""What the bank knows about its people: who they are, what they earn, what they allowed and what protects them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.simulator.chance import Generator
from recsys.simulator.names import draw_names
from recsys.simulator.temperament import NEEDS, OWNER, Temperament, draw_stages, draw_temperament

CITIES = ("Shanghai", "Beijing", "Shenzhen", "Guangzhou", "Hangzhou", "Chengdu", "Wuhan", "Nanjing", "Xi'an", "Suzhou")
_CITY_SHARES = np.array([0.19, 0.15, 0.12, 0.11, 0.09, 0.09, 0.08, 0.07, 0.05, 0.05])
_INCOME_FACTOR = np.array([1.35, 1.35, 1.3, 1.1, 1.15, 0.9, 0.85, 1.0, 0.8, 1.05])
_AGE_BANDS = ((16, 26, 0.15), (26, 41, 0.37), (41, 61, 0.32), (61, 86, 0.16))
PROSPECT_SHARE = 0.08
SEGMENTS = ("mass", "affluent", "private", "youth", "senior", "small_business")


@dataclass(frozen=True, slots=True)
class Population:
    """The known side of n people, one array entry each; the names of the fields are the columns of `customers`.

    Money is CNY, an amount that the bank does not know is NaN; a consent is 1 given, 0 refused, −1 never asked.
    """

    customer_id: tuple[str, ...]
    kind: NDArray[np.str_]
    name: tuple[str, ...]
    language: NDArray[np.str_]
    segment: NDArray[np.str_]
    risk_level: NDArray[np.int64]
    age: NDArray[np.int64]
    city: NDArray[np.str_]
    monthly_income_cny: NDArray[np.float64]
    income_band: NDArray[np.str_]
    balance_cny: NDArray[np.float64]
    tenure_months: NDArray[np.int64]
    app_logins_30d: NDArray[np.int64]
    consent_marketing: NDArray[np.int64]
    consent_profiling: NDArray[np.int64]
    consent_partner: NDArray[np.int64]
    vulnerable: NDArray[np.bool_]
    arrears: NDArray[np.bool_]
    do_not_contact: NDArray[np.bool_]

    @property
    def is_customer(self) -> NDArray[np.bool_]:
        """(n,) whether the person already banks here."""
        return np.asarray(self.kind == "customer")


def draw_population(size: int, rng: Generator) -> tuple[Population, Temperament]:
    """Return `size` people, the side the bank knows and the hidden one."""
    age = _draw_ages(size, rng)
    stage = draw_stages(age, rng)
    city = rng.choice(len(CITIES), size, p=_CITY_SHARES)
    income = _draw_incomes(age, stage == OWNER, _INCOME_FACTOR[city], rng)
    hidden = draw_temperament(stage, age, income, rng)
    is_prospect = rng.random(size) < PROSPECT_SHARE
    months = np.clip(rng.gamma(1.6, 34, size).astype(np.int64), 1, np.maximum(1, (age - 15) * 12))
    balance = income * np.exp(rng.normal(0.9, 1.1, size) + 0.35 * hidden.needs[:, NEEDS.index("saving")])
    balance = np.where(is_prospect, np.nan, np.round(np.minimum(balance, 9e6), -2)).astype(np.float64)
    is_chinese = rng.random(size) < 0.6
    privacy = rng.normal(0, 0.6, size)
    known_income = np.where(is_prospect & (rng.random(size) < 0.5), np.nan, income)
    public = Population(
        customer_id=tuple(f"C{number:06d}" for number in range(1, size + 1)),
        kind=np.where(is_prospect, "prospect", "customer"),
        name=tuple(draw_names(is_chinese, rng)),
        language=np.where(is_chinese ^ (rng.random(size) < 0.04), "zh", "en"),
        segment=_segments(age, stage, income, balance),
        risk_level=_draw_risk_levels(age, hidden, rng),
        age=age,
        city=np.array(CITIES)[city],
        monthly_income_cny=known_income,
        income_band=_income_bands(known_income),
        balance_cny=balance,
        tenure_months=np.where(is_prospect, 0, months),
        app_logins_30d=np.where(is_prospect, 0, rng.poisson(22 * hidden.digital)),
        consent_marketing=_draw_consents(privacy, 0.58, 0.14, is_prospect, rng),
        consent_profiling=_draw_consents(privacy, 0.62, 0.11, is_prospect, rng),
        consent_partner=_draw_consents(privacy, 0.38, 0.22, is_prospect, rng),
        vulnerable=rng.random(size) < np.where(age >= 70, 0.06, 0.01),
        arrears=~is_prospect & (rng.random(size) < 0.025 * np.exp(0.5 * hidden.needs[:, NEEDS.index("borrowing")])),
        do_not_contact=rng.random(size) < 0.02,
    )
    return public, hidden


def _draw_ages(size: int, rng: Generator) -> NDArray[np.int64]:
    band = rng.choice(len(_AGE_BANDS), size, p=[share for _, _, share in _AGE_BANDS])
    low = np.array([lower for lower, _, _ in _AGE_BANDS])[band]
    high = np.array([upper for _, upper, _ in _AGE_BANDS])[band]
    return rng.integers(low, high)


def _draw_incomes(
    age: NDArray[np.int64], is_owner: NDArray[np.bool_], city_factor: NDArray[np.float64], rng: Generator
) -> NDArray[np.float64]:
    """Return CNY a month: rising to the late forties, lower in retirement, spread by about a factor of two."""
    typical = np.interp(age, [16, 22, 26, 35, 48, 60, 64, 86], [1500, 3500, 7000, 11000, 12500, 9500, 5000, 4200])
    spread = np.exp(rng.normal(0, 0.55, len(age)))
    return np.asarray(np.round(typical * city_factor * spread * np.where(is_owner, 1.5, 1.0), -2).clip(800, 400_000))


def _income_bands(income: NDArray[np.float64]) -> NDArray[np.str_]:
    names = np.array(["under_5k", "5k_10k", "10k_20k", "20k_40k", "over_40k"])
    return np.where(np.isnan(income), "", names[np.digitize(np.nan_to_num(income), [5e3, 1e4, 2e4, 4e4])])


def _segments(
    age: NDArray[np.int64], stage: NDArray[np.intp], income: NDArray[np.float64], balance: NDArray[np.float64]
) -> NDArray[np.str_]:
    money = np.nan_to_num(balance)
    is_private, is_affluent = (money >= 300_000) & (income >= 12_000), (money >= 150_000) | (income >= 28_000)
    tests = [stage == OWNER, is_private, is_affluent, age < 26, age >= 62]
    return np.select(tests, ["small_business", "private", "affluent", "youth", "senior"], "mass")


def _draw_risk_levels(age: NDArray[np.int64], hidden: Temperament, rng: Generator) -> NDArray[np.int64]:
    daring = hidden.needs[:, NEEDS.index("investing")] - 0.6 * hidden.needs[:, NEEDS.index("protection")]
    level = 2.8 + 0.6 * daring - 0.015 * (age - 45) + rng.normal(0, 0.7, len(age))
    return np.clip(np.round(level), 1, 5).astype(np.int64)


def _draw_consents(
    privacy: NDArray[np.float64], given: float, refused: float, is_prospect: NDArray[np.bool_], rng: Generator
) -> NDArray[np.int64]:
    """Return 1, 0 or −1; the private-minded refuse more, and most prospects were never asked."""
    refusal = refused * np.exp(privacy - 0.18)
    roll = rng.random(len(privacy))
    asked = np.select([roll < refusal, roll < refused + given], [0, 1], -1)
    return np.where(is_prospect & (rng.random(len(privacy)) < 0.7), -1, asked)
