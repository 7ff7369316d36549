"""pytorch-grad-cam's side of scripts/bench/explain.ts: one worker process that times what it is asked.

Reads one JSON request a line on stdin and answers one JSON line on stdout:
  {"method": "grad-cam" | "score-cam", "layer": name, "batch": n, "size": pixels, "threads": n} -> {"seconds": of one batch}
The network is torchvision's ResNet-18 with random weights.
"""
import contextlib
import io
import json
import sys
import time

import pytorch_grad_cam
import torch
import torchvision
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

METHODS = {"grad-cam": pytorch_grad_cam.GradCAM, "score-cam": pytorch_grad_cam.ScoreCAM}

torch.manual_seed(0)
net = torchvision.models.resnet18(weights=None).eval()
print(json.dumps({"torch": torch.__version__}), flush=True)
made = {}
for line in sys.stdin:
    request = json.loads(line)
    torch.set_num_threads(request["threads"])
    method = request["method"], request["layer"]
    if method not in made:
        made[method] = METHODS[method[0]](net, [net.get_submodule(method[1])])
        made[method].batch_size = 16
    shape = (request["batch"], 3, request["size"], request["size"])
    images = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    targets = [ClassifierOutputTarget(0)] * shape[0]
    # Score-CAM draws a bar.
    with contextlib.redirect_stderr(io.StringIO()):
        start = time.perf_counter()
        made[method](images, targets)
        seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds}), flush=True)
