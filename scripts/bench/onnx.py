"""ONNX Runtime's and OpenVINO's side of `deno task bench`; pytorch.py has the protocol. `onnx.py RUNTIME`.

To build it takes {"onnx": FILE, "size": n, "batch": n, "threads": n}: the network as gapcam exported it, in f32.
Neither trains, and maps are drawn of what they compute, so all but "infer" is answered with the reason.
"""

import json
import sys
import time

import numpy as np


class OnnxRuntime:
    name = "onnxruntime"

    def __init__(self, request):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = request["threads"]
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(request["onnx"], options, providers=["CPUExecutionProvider"])

    def run(self, images):
        self.session.run(["logits"], {"image": images})

    @staticmethod
    def version():
        import onnxruntime

        return onnxruntime.__version__


class OpenVino:
    name = "openvino"

    def __init__(self, request):
        import openvino

        model = openvino.Core().read_model(request["onnx"])
        # The map that is an output beside the logits is not asked for.
        model = openvino.Model([model.output("logits")], model.get_parameters())
        model.reshape([request["batch"], 3, request["size"], request["size"]])
        options = {
            "INFERENCE_NUM_THREADS": request["threads"],
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self.request = openvino.Core().compile_model(model, "CPU", options).create_infer_request()

    def run(self, images):
        self.request.infer([images])

    @staticmethod
    def version():
        import openvino

        return openvino.__version__.split("-")[0]


class Bench:
    def __init__(self, runtime, request):
        self.runtime = runtime(request)
        self.batch = request["batch"]
        shape = (self.batch, 3, request["size"], request["size"])
        pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
        self.images = (pixels / 255 - 0.5) / 0.5

    def measure(self, request):
        if request["measure"] != "infer":
            return {"unavailable": "it only infers"}
        if request.get("warmUp"):
            self.runtime.run(self.images)
        start = time.perf_counter()
        for _ in range(request["steps"]):
            self.runtime.run(self.images)
        return {"seconds": time.perf_counter() - start, "images": request["steps"] * self.batch}


def main():
    runtime = {kind.name: kind for kind in (OnnxRuntime, OpenVino)}[sys.argv[1]]
    bench = None
    print(json.dumps({"version": runtime.version()}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "onnx" in request:
                bench = Bench(runtime, request)
                answer = {"ready": True}
            else:
                answer = bench.measure(request)
        except Exception as error:
            text = " ".join(str(error).split())[:600]
            answer = {"error": f"{type(error).__name__}: {text}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
