"""Checks that two folders show the same frames, pixel for pixel.

The first frames of EXPECTED must be all of ACTUAL; files are taken in the order of their names.
"""

import argparse
import pathlib
import sys

import cv2
import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("expected", type=pathlib.Path)
    parser.add_argument("actual", type=pathlib.Path)
    parser.add_argument("--frames", type=int, required=True, help="number of frames to expect")
    options = parser.parse_args()

    expected = sorted(options.expected.glob("*.png"))[: options.frames]
    actual = sorted(options.actual.glob("*.png"))
    if not len(expected) == len(actual) == options.frames:
        sys.exit(f"expected {options.frames} frames, found {len(expected)} and {len(actual)}")
    for ours, theirs in zip(expected, actual):
        a, b = cv2.imread(str(ours)), cv2.imread(str(theirs))
        if a.shape != b.shape:
            sys.exit(f"{theirs}: {b.shape} instead of {a.shape}")
        different = np.argwhere((a != b).any(axis=2))
        if len(different):
            y, x = different[0]
            sys.exit(
                f"{theirs}: {len(different)} pixels differ from {ours}, "
                f"the first at x {x}, y {y}: {b[y, x]} instead of {a[y, x]}"
            )


if __name__ == "__main__":
    main()
