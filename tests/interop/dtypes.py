"""Dtypes of NumPy by their texts: dtypes.py write COUNT, dtypes.py check

`write` prints a JSON list of texts, each with the bytes of an element; `check` reads one, and fails where NumPy makes
another dtype of a text: one of objects, or of other bytes. A few that it refuses are none of them.
"""

import ast
import json
import random
import sys

import numpy as np
from numpy.lib import format as npy

SIMPLE = ["?", "i1", "u1", "c8", "c16", "f2", "f4", "f8", "g", "G", "S7", "S1", "U3", "V5", "M8", "M8[D]", "m8[25s]"]
NAMES = ["a", "b", "ab", "it's", 'say "b"', "a\\b", "\n", "\x80", "\ud800", "\U0010ffff", "x y", "<f4", "[", "O", "|O"]


def simple(choose):
    text = choose.choice(SIMPLE + [f"i{2 ** choose.randrange(1, 4)}", f"u{2 ** choose.randrange(1, 4)}"])
    return np.dtype(choose.choice("<>") + text if text[0] in "iufcUMm" else text)


def made(choose, depth):
    if depth == 0 or choose.random() < 0.4:
        return simple(choose)
    fields = []
    for name in choose.sample(NAMES, choose.randrange(1, 5)):
        shape = tuple(choose.randrange(0 if choose.random() < 0.1 else 1, 4) for _ in range(choose.randrange(3)))
        title = choose.choice([None] * 8 + ["title " + name, (name, 2), 5])
        fields.append((name if title is None else (title, name), made(choose, depth - 1), shape))
    try:
        return np.dtype(fields)
    except ValueError:  # Titles may meet.
        return simple(choose)


def written(count):
    choose = random.Random(count)
    texts = {}
    while len(texts) < count:
        dtype = made(choose, 4)
        descr = npy.dtype_to_descr(dtype)
        text = repr(descr) if isinstance(descr, list) else descr
        if dtype.itemsize and text.isascii() and text.isprintable():
            texts[text] = dtype.itemsize
    return sorted(texts.items())


def check(texts):
    refused = 0
    for text, itemsize in texts:
        try:
            dtype = npy.descr_to_dtype(ast.literal_eval(text)) if text.startswith("[") else np.dtype(text)
        except (SyntaxError, TypeError, ValueError):
            refused += 1
            continue
        assert not dtype.hasobject and dtype.itemsize == itemsize, f"{text}: {dtype}, expected {itemsize} bytes"
    assert refused * 20 < len(texts), f"NumPy refuses {refused} of {len(texts)}"


if sys.argv[1] == "write":
    json.dump(written(int(sys.argv[2])), sys.stdout)
else:
    check(json.load(sys.stdin))
