"""Takes the steps that _steps.ts wrote on two ranks of PyTorch's
DistributedDataParallel over Gloo, and prints their losses as JSON.

  python3 _ddp.py FILE
"""
import json
import os
import sys

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

RANKS = 2


def work(rank, path, port, queue):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=RANKS)
    with open(path) as file:
        given = json.load(file)
    norm = [nn.BatchNorm2d(16)] if given["kind"] == "own-norm" else []
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), *norm, nn.LeakyReLU(0.1),
        nn.Conv2d(16, 16, 3, stride=2, padding=1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))
    # Ours has no flattening layer.
    names = {key: key for key in network.state_dict()}
    last = len(network) - 1
    state = network.state_dict()
    for key in names:
        own = key.replace(f"{last}.", f"{last - 1}.", 1) if key.startswith(f"{last}.") else key
        if own in given["initial"]:
            state[key] = torch.tensor(given["initial"][own]).reshape(state[key].shape)
    network.load_state_dict(state)
    network = nn.parallel.DistributedDataParallel(network)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for images, labels in given["batches"]:
        images = torch.tensor(images, dtype=torch.float32).reshape(-1, 16, 16, 3)
        images = (images.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
        labels = torch.tensor(labels)
        # The first ranks have one image more.
        parts = [len(labels) // RANKS + (r < len(labels) % RANKS) for r in range(RANKS)]
        start = sum(parts[:rank])
        mine, own = images[start:start + parts[rank]], labels[start:start + parts[rank]]
        loss = nn.functional.cross_entropy(network(mine), own, ignore_index=-1, reduction="sum")
        count = (own != -1).sum().float()
        whole = count.clone()
        dist.all_reduce(whole)
        # DistributedDataParallel takes the mean over ranks.
        optimiser.zero_grad()
        (loss * RANKS / whole).backward()
        optimiser.step()
        total = loss.detach().clone()
        dist.all_reduce(total)
        losses.append((total / whole).item())
    if rank == 0:
        queue.put(losses)
    dist.destroy_process_group()


if __name__ == "__main__":
    context = mp.get_context("spawn")
    queue = context.Queue()
    port = 20000 + os.getpid() % 20000
    workers = [context.Process(target=work, args=(rank, sys.argv[1], port, queue))
               for rank in range(RANKS)]
    for worker in workers:
        worker.start()
    print(json.dumps(queue.get()))
    for worker in workers:
        worker.join()
