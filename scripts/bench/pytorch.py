"""PyTorch's side of `deno task bench`: one worker process that times what it is asked.

Reads one JSON request a line on stdin and answers one JSON line on stdout:
  {"model": [64, 64, "M", ...], "size": 224, "batch": 8, "threads": 2}   builds the network
  {"measure": "train" | "infer" | "cam", "channelsLast": bool, "bf16": bool, "steps": n}
      -> {"seconds": total, "images": n * batch}
  {"measure": "memory"} -> {"peakBytes": the process's peak resident size}
"""

import json
import resource
import sys
import time

import torch
from torch import nn


def network(configuration, negative_slope, classes):
    """The VGG trunk, global average pooling and a linear head."""
    layers, channels = [], 3
    for width in configuration:
        if width == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(negative_slope)]
            channels = width
    return nn.Sequential(*layers), nn.Linear(channels, classes)


class Bench:
    def __init__(self, request):
        torch.set_num_threads(request["threads"])
        torch.manual_seed(0)
        self.batch, self.size = request["batch"], request["size"]
        self.variants = {}
        self.configuration = request["model"]

    def variant(self, channels_last):
        if channels_last not in self.variants:
            # One at a time in memory, so that the peak is that of a single network.
            self.variants.clear()
            features, head = network(self.configuration, 0.2, 10)
            images = torch.randint(0, 256, (self.batch, 3, self.size, self.size)).float()
            images = (images / 255 - 0.5) / 0.5
            if channels_last:
                features = features.to(memory_format=torch.channels_last)
                images = images.to(memory_format=torch.channels_last)
            labels = torch.arange(self.batch) % 10
            parameters = [*features.parameters(), *head.parameters()]
            optimiser = torch.optim.Adam(parameters, lr=1e-5)
            self.variants[channels_last] = (features, head, images, labels, optimiser)
        return self.variants[channels_last]

    def step(self, measure, channels_last, bf16):
        features, head, images, labels, optimiser = self.variant(channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            if measure == "train":
                optimiser.zero_grad()
                maps = features(images)
                logits = head(maps.mean(dim=(2, 3)))
            else:
                with torch.inference_mode():
                    maps = features(images)
                    logits = head(maps.mean(dim=(2, 3)))
        if measure == "train":
            nn.functional.cross_entropy(logits.float(), labels).backward()
            optimiser.step()
        elif measure == "cam":
            with torch.inference_mode():
                weight = head.weight[logits.argmax(dim=1)]
                cam = torch.einsum("nk,nkhw->nhw", weight, maps.float())
                low = cam.amin(dim=(1, 2), keepdim=True)
                cam = (cam - low) / (cam - low).amax(dim=(1, 2), keepdim=True)
                nn.functional.interpolate(cam[:, None], size=(self.size, self.size), mode="bilinear")

    def measure(self, request):
        if request["measure"] == "memory":
            return {"peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
        arguments = (request["measure"], request["channelsLast"], request["bf16"])
        if request.get("warmUp"):
            self.step(*arguments)
        start = time.perf_counter()
        for _ in range(request["steps"]):
            self.step(*arguments)
        return {
            "seconds": time.perf_counter() - start,
            "images": request["steps"] * self.batch,
        }


def main():
    bench = None
    print(json.dumps({"version": torch.__version__}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "model" in request:
            bench = Bench(request)
            answer = {"ready": True}
        else:
            answer = bench.measure(request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
