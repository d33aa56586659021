"""Chance under a salt is the same number however it is asked for, on every machine."""

import pytest

from recsys.domain.chance import salted, uniform


@pytest.mark.parametrize(
    ("salt", "unit", "expected"),
    [("k1|arm", "c1", 0x6F36DE76F0EC9AB7 / 2**64), ("", "客户", 0xCDCDF38B7927E292 / 2**64)],
)
def test_it_is_the_first_64_bits_of_sha256(salt: str, unit: str, expected: float) -> None:
    assert uniform(salt, unit) == salted(salt)(unit.encode()) == expected


def test_both_ways_of_asking_agree() -> None:
    prepared = salted("spring|traffic")
    assert all(prepared(b"c%d" % number) == uniform("spring|traffic", f"c{number}") for number in range(2000))
