"""The keys of the ``modbus:`` block, read from text."""

import pytest
from pydantic import ValidationError

from drivers.modbus.config import DeviceOptions, LinkOptions


def test_defaults():
    options = DeviceOptions.model_validate({"unit": "1"})

    assert (options.unit, options.word_order) == (1, "ABCD")
    assert (options.max_registers, options.max_coils) == (125, 2000)
    assert LinkOptions.model_validate({}).timeout == 1000


def test_texts_are_read():
    options = DeviceOptions.model_validate({"unit": "255", "word_order": "CDAB"})

    assert (options.unit, options.word_order) == (255, "CDAB")
    assert LinkOptions.model_validate({"timeout": "300ms"}).timeout == 300


@pytest.mark.parametrize(
    "block",
    [
        {},
        {"unit": "256"},
        {"unit": "-1"},
        {"unit": "0x10"},
        {"unit": "1", "word_order": "BA"},
        {"unit": "1", "max_registers": "126"},
        {"unit": "1", "max_registers": "0"},
        {"unit": "1", "max_coils": "2001"},
        {"unit": "1", "max_register": "100"},
    ],
)
def test_refused_device_blocks(block):
    with pytest.raises(ValidationError):
        DeviceOptions.model_validate(block)


@pytest.mark.parametrize("timeout", ["5", "0ms", "2h", "soon"])
def test_refused_timeouts(timeout):
    with pytest.raises(ValidationError):
        LinkOptions.model_validate({"timeout": timeout})
