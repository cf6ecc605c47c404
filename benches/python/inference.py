"""ONNX Runtime called directly: the median time of one run of a network, per frame.

Prints one JSON line. Nothing but the runtime is between this and the network: the inputs are made
once and the runtime is called from Python, which adds microseconds.
"""

import argparse
import json
import statistics
import time

import numpy as np
import onnxruntime


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--runs", type=int, default=12)
    options = parser.parse_args()

    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(
        options.model, session_options, providers=["CPUExecutionProvider"]
    )
    random = np.random.default_rng(0)
    inputs = {
        tensor.name: random.random((options.batch, *tensor.shape[1:]), np.float32)
        for tensor in session.get_inputs()
    }

    times = []
    for _ in range(options.runs + 1):
        start = time.perf_counter()
        session.run(None, inputs)
        times.append(time.perf_counter() - start)
    # The first run allocates.
    median = statistics.median(times[1:])
    print(json.dumps({"inference_ms": median / options.batch * 1000, "runs": options.runs}))


if __name__ == "__main__":
    main()
