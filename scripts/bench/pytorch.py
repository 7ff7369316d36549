"""PyTorch's side of `deno task bench` and of the GPU kit: one worker process that times what it is asked.

Reads one JSON request a line on stdin and answers one JSON line on stdout:
  {"model": [64, 64, "M", ...] | "resnet50", "classes": 10, "size": 224, "batch": 8, "threads": 2,
   "device": "cpu" | "cuda"}
      builds the network: a trunk of VGG, or torchvision's (of EfficientNet-Lite timm's) of that name
  {"measure": "train" | "infer" | "cam", "channelsLast": bool, "bf16": bool, "tf32": bool,
   "compile": bool, "steps": n}  -> {"seconds": total, "images": n * batch}
  {"measure": "matmul", "size": n, "steps": n}
      -> {"flopsPerSecond": of n x n bf16 matrix products}, on the device built for last
  {"measure": "memory"} -> {"peakBytes": the process's peak resident size}
What fails on a GPU or in torch.compile is answered with {"error": text}; the worker goes on.
"""

import gc
import json
import resource
import sys
import time

import torch
from torch import nn


class Trunk(nn.Module):
    """A VGG trunk, global average pooling and a linear head."""

    def __init__(self, configuration, negative_slope, classes):
        super().__init__()
        layers, channels = [], 3
        for width in configuration:
            if width == "M":
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(negative_slope)]
                channels = width
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(channels, classes)

    def forward(self, images):
        return self.head(self.features(images).mean(dim=(2, 3)))

    def maps_and_logits(self, images):
        maps = self.features(images)
        return maps, self.head(maps.mean(dim=(2, 3)))


class Named(nn.Module):
    """A published network by its name; its last map is what global average pooling is given."""

    def __init__(self, name, classes):
        super().__init__()
        if name.startswith("efficientnet_lite"):
            import timm

            self.net = timm.create_model("tf_" + name, num_classes=classes)
        else:
            import torchvision

            options = {"aux_logits": False} if name == "googlenet" else {}
            self.net = torchvision.models.get_model(name, weights=None, num_classes=classes, **options)
        # SqueezeNet decides with a convolution in place of a linear layer.
        deciding = [module for module in self.net.modules() if isinstance(module, nn.Linear)]
        deciding = deciding or [module for module in self.net.modules() if isinstance(module, nn.Conv2d)]
        self.head = deciding[-1]
        # timm's pool has a name of its own; before several linear layers no map adds up to a logit.
        pools = [
            module
            for module in self.net.modules()
            if type(module).__name__ in ("AdaptiveAvgPool2d", "SelectAdaptivePool2d")
        ]
        several = name.startswith("vgg") or name == "alexnet"
        self.pool = None if several or not pools else pools[-1]

    def forward(self, images):
        return self.net(images)

    def maps_and_logits(self, images):
        if self.pool is None:
            raise NotImplementedError("there is no module before which its last map could be seen")
        seen = []
        hook = self.pool.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        try:
            logits = self.net(images)
        finally:
            hook.remove()
        return seen[0], logits


def network(model, classes):
    return Named(model, classes) if isinstance(model, str) else Trunk(model, 0.2, classes)


def loss_of(network, images, labels):
    return nn.functional.cross_entropy(network(images).float(), labels)


def infer(network, images):
    return network(images)


def cam(network, images):
    maps, logits = network.maps_and_logits(images)
    likeliest = logits.argmax(dim=1)
    if isinstance(network.head, nn.Linear):
        cam = torch.einsum("nk,nkhw->nhw", network.head.weight[likeliest].float(), maps.float())
    else:
        # A class's own channel is its map.
        cam = maps[torch.arange(len(maps)), likeliest].float()
    low = cam.amin(dim=(1, 2), keepdim=True)
    cam = (cam - low) / (cam - low).amax(dim=(1, 2), keepdim=True)
    return nn.functional.interpolate(cam[:, None], size=images.shape[-2:], mode="bilinear")


class Bench:
    def __init__(self, request):
        torch.set_num_threads(request["threads"])
        torch.manual_seed(0)
        self.batch, self.size = request["batch"], request["size"]
        self.device = torch.device(request.get("device") or "cpu")
        self.variants = {}
        self.functions = {}
        self.model, self.classes = request["model"], request.get("classes", 10)
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True

    def clear(self):
        self.variants.clear()
        self.functions.clear()
        torch._dynamo.reset()
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def variant(self, channels_last):
        if channels_last not in self.variants:
            # One at a time in memory, so that the peak is that of a single network.
            self.clear()
            net = network(self.model, self.classes).to(self.device)
            images = torch.randint(0, 256, (self.batch, 3, self.size, self.size)).float()
            images = ((images / 255 - 0.5) / 0.5).to(self.device)
            if channels_last:
                net = net.to(memory_format=torch.channels_last)
                images = images.to(memory_format=torch.channels_last)
            labels = (torch.arange(self.batch) % self.classes).to(self.device)
            # The fused one is PyTorch's fastest on a GPU.
            fused = {"fused": True} if self.device.type == "cuda" else {}
            optimiser = torch.optim.Adam(net.parameters(), lr=1e-5, **fused)
            self.variants[channels_last] = (net, images, labels, optimiser)
        return self.variants[channels_last]

    def function(self, plain, compiled):
        if not compiled:
            return plain
        if plain not in self.functions:
            self.functions[plain] = torch.compile(plain, dynamic=False)
        return self.functions[plain]

    def step(self, measure, options):
        net, images, labels, optimiser = self.variant(options["channelsLast"])
        # What a step of training left: dropout and batch statistics are not for looking.
        net.train(measure == "train")
        compiled = options.get("compile", False)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=options["bf16"]):
            if measure == "train":
                optimiser.zero_grad()
                loss = self.function(loss_of, compiled)(net, images, labels)
            else:
                with torch.inference_mode():
                    if measure == "infer":
                        self.function(infer, compiled)(net, images)
                    else:
                        # Maps are for people: they are wanted on the host.
                        self.function(cam, compiled)(net, images).cpu()
        if measure == "train":
            loss.backward()
            optimiser.step()

    def synchronize(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def measure(self, request):
        if request["measure"] == "memory":
            return {"peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
        if request["measure"] == "matmul":
            return self.matmul(request["size"], request["steps"])
        torch.backends.cudnn.allow_tf32 = request.get("tf32", False)
        torch.backends.cuda.matmul.allow_tf32 = request.get("tf32", False)
        if request.get("warmUp"):
            self.step(request["measure"], request)
        self.synchronize()
        start = time.perf_counter()
        for _ in range(request["steps"]):
            self.step(request["measure"], request)
        self.synchronize()
        return {
            "seconds": time.perf_counter() - start,
            "images": request["steps"] * self.batch,
        }

    def matmul(self, size, steps):
        a, b = (torch.randn(size, size, device=self.device).bfloat16() for _ in range(2))
        for _ in range(3):
            torch.matmul(a, b)
        self.synchronize()
        start = time.perf_counter()
        for _ in range(steps):
            torch.matmul(a, b)
        self.synchronize()
        return {"flopsPerSecond": 2 * size**3 * steps / (time.perf_counter() - start)}


def main():
    bench = None
    greeting = {"version": torch.__version__}
    if torch.cuda.is_available():
        greeting["gpu"] = torch.cuda.get_device_name()
        greeting["cuda"] = torch.version.cuda
        greeting["cudnn"] = torch.backends.cudnn.version()
    print(json.dumps(greeting), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "model" in request:
            if bench:
                bench.clear()
            bench = Bench(request)
            answer = {"ready": True}
        else:
            try:
                answer = bench.measure(request)
            except Exception as error:
                # Half-made state may hold what the next network needs.
                bench.clear()
                text = " ".join(str(error).split())[:600]
                answer = {"error": f"{type(error).__name__}: {text}"}
                print(answer["error"], file=sys.stderr, flush=True)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
