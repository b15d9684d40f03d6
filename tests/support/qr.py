"""A reader of clean QR codes in byte mode, as a page draws them: level M, versions 1 to 13.

Source: ISO/IEC 18004, *Decoding procedure*. Nothing is corrected: a drawing has no errors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

Run = tuple[int, int, int]  # a row, its first dark column, and the column after the last

# By version: how many blocks of how many data codewords.
BLOCKS: dict[int, list[tuple[int, int]]] = {
    1: [(1, 16)], 2: [(1, 28)], 3: [(1, 44)], 4: [(2, 32)], 5: [(2, 43)], 6: [(4, 27)],
    7: [(4, 31)], 8: [(2, 38), (2, 39)], 9: [(3, 36), (2, 37)], 10: [(4, 43), (1, 44)],
    11: [(1, 50), (4, 51)], 12: [(6, 36), (2, 37)], 13: [(8, 37), (1, 38)],
}  # fmt: skip
MASKS: list[Callable[[int, int], bool]] = [
    lambda y, x: (y + x) % 2 == 0,
    lambda y, x: y % 2 == 0,
    lambda y, x: x % 3 == 0,
    lambda y, x: (y + x) % 3 == 0,
    lambda y, x: (y // 2 + x // 3) % 2 == 0,
    lambda y, x: y * x % 2 + y * x % 3 == 0,
    lambda y, x: (y * x % 2 + y * x % 3) % 2 == 0,
    lambda y, x: ((y + x) % 2 + y * x % 3) % 2 == 0,
]


def in_svg(svg: str) -> str:
    """The text of the code in an SVG of one path: `M4 4.5h7m1 0h2…`."""
    runs, x, y = [], 0.0, 0.0
    [path] = re.findall(r' d="([^"]+)"', svg)
    for command, given in re.findall(r"([Mmh])([-\d. ]+)", path):
        numbers = [float(number) for number in given.split()]
        if command == "h":
            runs.append((int(y), int(x), int(x + numbers[0])))
            x += numbers[0]
        else:
            x, y = numbers if command == "M" else (x + numbers[0], y + numbers[1])
    return decode(runs)


def in_page(content: bytes) -> str:
    """The text of the code among what a page draws: lines from `x y m` to `x y l`."""
    lines = re.findall(rb"(\d+) (\d+)\.5 m (\d+) \2\.5 l", content)
    return decode((int(y), int(x), int(end)) for x, y, end in lines)


def decode(runs: Iterable[Run]) -> str:
    """The text of a code whose dark modules are these."""
    dark = {(y, x) for y, first, end in runs for x in range(first, end)}
    top, left = min(y for y, _ in dark), min(x for _, x in dark)
    dark = {(y - top, x - left) for y, x in dark}
    size = max(y for y, _ in dark) + 1
    version = (size - 17) // 4
    form = sum(((8, x) in dark) << 14 - n for n, x in enumerate((0, 1, 2, 3, 4, 5, 7, 8)))
    form |= sum(((y, 8) in dark) << 6 - n for n, y in enumerate((7, 5, 4, 3, 2, 1, 0)))
    form ^= 0b101010000010010
    assert form >> 13 == 0b00, "the level of error correction is not M"
    is_masked = MASKS[form >> 10 & 7]
    bits = [
        ((y, x) in dark) != is_masked(y, x) for y, x in path(size) if not is_fixed(y, x, version)
    ]
    codewords = [as_number(bits[n : n + 8]) for n in range(0, len(bits) // 8 * 8, 8)]
    message = [
        bool(word >> bit & 1) for word in data(codewords, version) for bit in range(7, -1, -1)
    ]
    assert as_number(message[:4]) == 0b0100, "the mode is not bytes"
    start = 4 + (8 if version < 10 else 16)
    length = as_number(message[4:start])
    return bytes(
        as_number(message[start + 8 * n : start + 8 * n + 8]) for n in range(length)
    ).decode()


def as_number(bits: list[bool]) -> int:
    return int("".join("01"[bit] for bit in bits), 2)


def path(size: int) -> Iterable[tuple[int, int]]:
    """The modules in the order of the bits: two columns at a time, up and down in turn."""
    upwards = True
    for right in (*range(size - 1, 6, -2), 5, 3, 1):
        for row in range(size - 1, -1, -1) if upwards else range(size):
            yield row, right
            yield row, right - 1
        upwards = not upwards


def is_fixed(y: int, x: int, version: int) -> bool:
    """Whether a module is of a pattern and bears no data."""
    size = version * 4 + 17
    if (y < 9 and (x < 9 or x >= size - 8)) or (x < 9 and y >= size - 8) or 6 in (y, x):
        return True
    if version >= 7 and ((y < 6 and x >= size - 11) or (x < 6 and y >= size - 11)):
        return True
    last = size - 7
    middle = [6 + (last - 6) // 2] if version >= 7 else []
    places = [6, *middle, last] if version > 1 else []
    return any(
        abs(y - row) <= 2 and abs(x - column) <= 2
        for row in places
        for column in places
        if (row, column) not in ((6, 6), (6, last), (last, 6))
    )


def data(codewords: list[int], version: int) -> list[int]:
    """The data codewords of the blocks one after the other; they are written in turn."""
    sizes = [size for count, size in BLOCKS[version] for _ in range(count)]
    blocks: list[list[int]] = [[] for _ in sizes]
    source = iter(codewords)
    for n in range(max(sizes)):
        for block, size in zip(blocks, sizes, strict=True):
            if n < size:
                block.append(next(source))
    return [word for block in blocks for word in block]
