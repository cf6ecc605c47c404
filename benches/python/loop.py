"""Talking-head rendering as a plain Python loop: NumPy, OpenCV and ONNX Runtime.

Infer a batch, composite it in a thread pool, save it, repeat. This is what the engine is measured
against, in speed and in bytes. Prints one JSON line.
"""

import argparse
import concurrent.futures
import json
import pathlib
import time

import cv2
import numpy as np
import onnxruntime

BORDER = 4  # pixels of the crop around the region that the network sees
WINDOW = (-8, 8)  # feature rows around a frame that the network hears


class Package:
    """An avatar package in memory, with videos or unpacked."""

    def __init__(self, root, side, features):
        crop = side + 2 * BORDER
        self.frames = load_frames(root, "full_body_video.mp4", "full_body_img/{}")
        self.crops = load_frames(root, f"crops_{crop}_video.mp4", f"cache/crops_{crop}/{{}}")
        self.rois = load_frames(root, f"rois_{side}_video.mp4", f"cache/rois_{side}/{{}}")
        self.masked = load_frames(root, "model_inputs_video.mp4", "cache/model_inputs/{}_masked")
        self.features = np.load(features or root / "aud_ave.npy").astype(np.float32)
        rectangles = json.loads((root / "cache/crop_rectangles.json").read_text())
        self.rectangles = [rectangles[str(i)]["rect"] for i in range(len(self.frames))]

    def background(self, index):
        """Which stored frame output frame `index` shows: forwards, backwards, forwards, ..."""
        last = len(self.frames) - 1
        if last == 0:
            return 0
        index %= 2 * last
        return min(index, 2 * last - index)

    def audio(self, index):
        """The audio input of output frame `index`; rows outside of the features are zeros."""
        window = np.zeros((WINDOW[1] - WINDOW[0], self.features.shape[1]), np.float32)
        first = index + WINDOW[0]
        start, end = max(first, 0), min(index + WINDOW[1], len(self.features))
        window[start - first : end - first] = self.features[start:end]
        return window.reshape(32, 16, 16)

    def image(self, index):
        """The image input of output frame `index`, still in bytes."""
        source = self.background(index)
        six = np.concatenate([self.rois[source], self.masked[source]], axis=2)
        return six.transpose(2, 0, 1)


def load_frames(root, video, stem):
    """All frames of a video, or of a folder of images."""
    for extension in ("png", "jpg"):
        paths = root / f"{stem}.{extension}"
        if pathlib.Path(str(paths).format(0)).exists():
            frames = []
            while (frame := pathlib.Path(str(paths).format(len(frames)))).exists():
                frames.append(cv2.imread(str(frame)))
            return frames
    capture = cv2.VideoCapture(str(root / video))
    frames = []
    while True:
        more, frame = capture.read()
        if not more:
            break
        frames.append(frame)
    if not frames:
        raise SystemExit(f"{root} has neither {video} nor {stem}.png")
    return frames


def assemble(package, indices):
    """The network's inputs for a batch of output frames."""
    images = np.stack([package.image(i) for i in indices]).astype(np.float32)
    images /= np.float32(255)
    audio = np.stack([package.audio(i) for i in indices])
    return images, audio


def to_bytes(prediction):
    """Planes of floats in 0 to 1 to an image."""
    return (prediction * np.float32(255)).astype(np.uint8).transpose(1, 2, 0)


def composite(package, index, prediction):
    """Output frame `index` with the prediction pasted into it."""
    source = package.background(index)
    crop = package.crops[source].copy()
    crop[BORDER:-BORDER, BORDER:-BORDER] = to_bytes(prediction)
    x1, y1, x2, y2 = package.rectangles[source]
    frame = package.frames[source].copy()
    frame[y1:y2, x1:x2] = cv2.resize(crop, (x2 - x1, y2 - y1), interpolation=cv2.INTER_LINEAR)
    return frame


def network(session, simulated_ms, side):
    """A function from a batch of inputs to a batch of predictions."""
    if simulated_ms:
        fixed = np.random.default_rng(1).random((3, side, side), np.float32)

        def infer(images, audio):
            time.sleep(simulated_ms * len(images) / 1000)
            return np.broadcast_to(fixed, (len(images), *fixed.shape))

        return infer
    return lambda images, audio: session.run(None, {"input": images, "audio": audio})[0]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("package", type=pathlib.Path)
    parser.add_argument("--features", type=pathlib.Path, help="instead of the package's own")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--workers", type=int, default=4, help="threads that composite")
    parser.add_argument("--threads", type=int, default=0, help="threads of ONNX Runtime")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--dump", type=pathlib.Path, help="folder for PNG files")
    parser.add_argument("--simulated-ms", type=float, help="sleep this long a frame; no network")
    return parser.parse_args()


def main():
    options = parse_arguments()
    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(
        str(options.model), session_options, providers=["CPUExecutionProvider"]
    )
    side = session.get_inputs()[0].shape[-1]

    start = time.perf_counter()
    package = Package(options.package, side, options.features)
    preload_s = time.perf_counter() - start
    if len(package.features) < options.frames:
        wrapped = np.arange(options.frames) % len(package.features)
        package.features = package.features[wrapped]
    if options.dump:
        options.dump.mkdir(parents=True, exist_ok=True)

    infer = network(session, options.simulated_ms, side)
    batches = [
        range(first, min(first + options.batch, options.frames))
        for first in range(0, options.frames, options.batch)
    ]
    infer(*assemble(package, batches[0]))

    seconds = dict.fromkeys(["assemble", "inference", "composite", "save"], 0.0)
    start = now = time.perf_counter()

    def account(stage):
        nonlocal now
        before, now = now, time.perf_counter()
        seconds[stage] += now - before

    with concurrent.futures.ThreadPoolExecutor(options.workers) as pool:
        for batch in batches:
            inputs = assemble(package, batch)
            account("assemble")
            predictions = infer(*inputs)
            account("inference")
            frames = list(pool.map(lambda *job: composite(package, *job), batch, predictions))
            account("composite")
            if options.dump:
                for index, frame in zip(batch, frames):
                    cv2.imwrite(str(options.dump / f"frame_{index:05d}.png"), frame)
            account("save")
    wall_s = time.perf_counter() - start

    report = {
        "system": "python",
        "batch": options.batch,
        "workers": options.workers,
        "frames": options.frames,
        "preload_s": preload_s,
        "wall_s": wall_s,
        "fps": options.frames / wall_s,
    }
    report |= {f"{name}_ms": s / options.frames * 1000 for name, s in seconds.items()}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
