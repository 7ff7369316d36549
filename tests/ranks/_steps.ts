/**
 * Takes ten steps of a small network, alone or as one of several ranks, and
 * prints what it came to, from rank 0: a JSON line. Run by mpirun.
 */
import { createHash } from "node:crypto";
import {
  BatchLoader,
  batchNorm2d,
  conv2d,
  dropout,
  globalAveragePool,
  leakyRelu,
  linear,
  Network,
  openDevice,
  sequential,
  sgd,
  shapesDataset,
  TrainingProgram,
} from "../../mod.ts";
import { openCommunicator } from "../../src/device/open_communicator.ts";
import { inTurns } from "../../src/train/_ranks.ts";
import { findLauncher } from "../../src/device/launcher.ts";

const [kind = "plain", reduce = "ordered"] = Deno.args;
const launcher = findLauncher();
const communicator = launcher
  ? await openCommunicator({ launcher })
  : undefined;
const rank = communicator?.rank ?? 0, size = communicator?.size ?? 1;
// On GPUs each rank has its own.
const backend = Deno.env.get("STEPS_DEVICE") ?? "cpu";
using device = backend === "cuda"
  ? openDevice("cuda", { index: communicator?.description.localRank ?? 0 })
  : openDevice("cpu", { threads: 1 });
if (communicator) await device.join(communicator);
using network = new Network(
  device,
  sequential([
    conv2d(3, 16, { kernelSize: 3, padding: 1 }),
    ...(kind === "norm" || kind === "own-norm" ? [batchNorm2d(16)] : []),
    leakyRelu(0.1),
    conv2d(16, 16, { kernelSize: 3, stride: 2, padding: 1 }),
    ...(kind === "dropout" ? [dropout(0.5)] : []),
    globalAveragePool(),
    linear(16, 10),
  ]),
  { seed: 3 },
);
const dataset = shapesDataset("train", { size: 16, length: 64 });
// Without normalisation the last batch of an epoch is short, and ranks have unlike parts.
const normalises = kind.endsWith("norm");
const batchSize = normalises ? 16 : 22;
// An image that counts nowhere, of one rank.
dataset.labels[5] = -1;
const loader = new BatchLoader(dataset, {
  batchSize,
  shuffle: true,
  part: { rank, size },
  dropLast: normalises,
});
const each = Math.ceil((batchSize - rank) / size);
// Batches that are added up, of classes that weigh otherwise.
const adds = kind === "accumulated";
const compile = () =>
  TrainingProgram.compile(network, {
    batchSize: adds ? Math.ceil(each / 2) : each,
    ...(adds
      ? { accumulate: 2, classWeights: [1, 2, 3, 1, 2, 3, 1, 0.5, 1, 4] }
      : {}),
    image: dataset,
    optimiser: sgd({ learningRate: 0.1, momentum: 0.9 }),
    seed: 11,
    ...(communicator && size > 1 ? { communicator } : {}),
    syncBatchNorm: kind === "norm",
    reduce: reduce as "ordered" | "fast",
  });
using program = await inTurns(communicator, compile);
const losses: number[] = [];
// For another library to take the same steps: of one process, which has whole batches.
const batches: [number[], number[]][] = [];
const initial = numbersOf(network);
for (let epoch = 0; losses.length < 10; epoch++) {
  for await (const batch of loader.epoch(epoch)) {
    if (losses.length === 10) break;
    batches.push([[...batch.images], [...batch.labels]]);
    await program.step(batch.images, batch.labels, {
      firstImage: batch.first,
    });
    losses.push(program.metrics({ reset: true }).lastLoss);
  }
}
const hash = createHash("sha256");
const parameters = numbersOf(network);
for (const { data } of network.state().values()) {
  hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}
const digest = hash.digest("hex");
const digests = await communicator?.gatherValues(digest) ?? [digest];
if (rank === 0) {
  const { abi } = communicator?.description ?? {};
  const { recorded } = program.describe() as { recorded?: boolean };
  console.log(
    JSON.stringify({
      ...{ size, kind, abi, recorded, digests, losses, parameters },
    }),
  );
}
const path = Deno.env.get("STEPS_FILE");
if (path) {
  await Deno.writeTextFile(path, JSON.stringify({ kind, initial, batches }));
}
await communicator?.close();

function numbersOf(network: Network): Record<string, number[]> {
  return Object.fromEntries(
    [...network.state()].map(([name, { data }]) => [name, [...data]]),
  );
}
