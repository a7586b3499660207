"""What the text of an option's value means."""

from __future__ import annotations

import pytest

from pointkd.io.options import parse_value


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('3', 3),
        ('-1e-4', -1e-4),
        ('true', True),
        ('False', False),
        ('None', None),
        ('null', None),
        ('word', 'word'),
        ('data/kitti', 'data/kitti'),
        ("'3'", '3'),
        ('', ''),
        ('1,2', [1, 2]),
        ('[1, 2]', [1, 2]),
        ('(1, 2)', (1, 2)),
        ('[Car,Van]', ['Car', 'Van']),
        ('a,b', ['a', 'b']),
        ("dict(type='SGD', lr=0.1)", {'type': 'SGD', 'lr': 0.1}),
        ('[dict(a=dict(b=1))]', [{'a': {'b': 1}}]),
        ("{'a': 1}", {'a': 1}),
        ('__import__("os")', '__import__("os")'),
    ],
)
def test_parse_value(text: str, value: object) -> None:
    parsed = parse_value(text)
    assert parsed == value
    assert type(parsed) is type(value)
