"""Compares a folder of PPM files with a file of packed BGR frames: compare_frames.py RAW FOLDER
WIDTH HEIGHT COUNT."""

import pathlib
import sys


def main() -> None:
    raw, folder = (pathlib.Path(argument) for argument in sys.argv[1:3])
    width, height, count = (int(argument) for argument in sys.argv[3:6])
    size = 3 * width * height
    expected = raw.read_bytes()
    assert len(expected) == count * size, f"{len(expected)} bytes in {raw}"
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"frame_{k:05}.ppm" for k in range(count)], names
    for k, name in enumerate(names):
        header = f"P6\n{width} {height}\n255\n".encode()
        data = (folder / name).read_bytes()
        assert data.startswith(header) and len(data) == len(header) + size, name
        rgb, bgr = data[len(header) :], expected[k * size : (k + 1) * size]
        # Plane by plane, since the order of the colours differs.
        assert all(rgb[c::3] == bgr[2 - c :: 3] for c in range(3)), f"{name} differs"
    print(f"{count} frames are the same")


main()
