/**
 * On a CPU the parts of one image's concatenation are made where they go. Random
 * graphs of a batch of one are held against the same image twice in a batch,
 * where each part is copied.
 */

import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import type { Device } from "../../src/device/device.ts";
import { openDevice } from "../../src/device/open_device.ts";
import type { Tensor } from "../../src/device/tensor.ts";
import { Random } from "../../src/random.ts";
import { relativeError } from "../nn/_hashed.ts";
import { backendTest, deviceTest } from "./_devices.ts";
import { uniform } from "./_uniform.ts";

/** The graph that a seed draws: its outputs for one image, as `batch` equal ones. */
async function compute(
  device: Device,
  { seed, batch }: { seed: number; batch: number },
): Promise<{ outputs: Float32Array[]; inPlace: number }> {
  const random = new Random(seed);
  const pick = <T>(from: readonly T[]) => from[random.integer(from.length)]!;
  using stack = new DisposableStack();
  const tensor = (shape: readonly number[]) =>
    stack.use(device.tensor(shape, {
      data: uniform(shape, random.integer(1 << 30)).map((x) => x / 4),
    }));
  using program = device.program();
  const image = uniform([1, 16, 8, 6], seed);
  const input = stack.use(device.tensor([batch, 16, 8, 6], {
    data: new Float32Array(image.length * batch).map((_, i) =>
      image[i % image.length]!
    ),
  }));
  const maps: Tensor[] = [input];
  for (let i = 0; i < 14; i++) {
    const map = pick(maps.slice(-5));
    const channels = map.shape[1]!;
    switch (random.integer(7)) {
      case 0:
        maps.push(program.leakyRelu(map, pick([0, 0.3])));
        break;
      case 1: {
        const alike = maps.filter(({ shape }) => shape[1] === channels);
        maps.push(program.add(map, pick(alike)));
        break;
      }
      case 2:
        maps.push(program.batchNorm2d(map, {
          ...{ weight: tensor([channels]), bias: tensor([channels]) },
          runningMean: tensor([channels]),
          runningVariance: stack.use(device.tensor([channels], {
            data: uniform([channels], 7).map((x) => x + 1.5),
          })),
        }));
        break;
      case 3:
      case 4: {
        const outputs = pick([16, 32, 32, 48, 20]);
        maps.push(program.conv2d(map, tensor([outputs, channels, 3, 3]), {
          ...{
            bias: tensor([outputs]),
            padding: 1,
            negativeSlope: pick([0, 1]),
          },
        }));
        break;
      }
      default: {
        // Often those of before and one more, as in DenseNet.
        const parts = random.integer(2) === 0
          ? maps.slice(1, 2 + random.integer(4))
          : Array.from({ length: 2 + random.integer(2) }, () => pick(maps));
        if (parts.length > 0) maps.push(program.concatenate(parts));
      }
    }
  }
  // Of the last one, and of one in the middle.
  const kept = [...new Set([maps.at(-1)!, maps.at(-4)!])].filter((map) =>
    map !== input
  );
  for (const map of kept) program.output(map);
  await program.compile();
  await program.run("forward");
  await program.run("forward");
  const steps = program.describe().steps;
  return {
    outputs: kept.map((map) => {
      const values = map.read() as Float32Array;
      return values.slice(0, values.length / batch);
    }),
    inPlace:
      steps.filter(({ operation, algorithm }) =>
        operation === "concatenate" && algorithm === "in place"
      ).length,
  };
}

deviceTest(
  "concatenating one image's maps is as copying them",
  async (device) => {
    let inPlace = 0;
    for (let seed = 0; seed < 120; seed++) {
      const one = await compute(device, { seed, batch: 1 });
      const two = await compute(device, { seed, batch: 2 });
      assertEquals(two.inPlace, 0);
      inPlace += one.inPlace;
      one.outputs.forEach((values, i) => {
        const error = relativeError(values, two.outputs[i]!);
        assertLessOrEqual(error, 1e-5, `seed ${seed}, output ${i}`);
      });
    }
    if (device.describe().backend === "cpu") assert(inPlace > 20, `${inPlace}`);
  },
);

backendTest("cpu", "a block of DenseNet copies none of its maps", async () => {
  using device = openDevice("cpu");
  using stack = new DisposableStack();
  const tensor = (shape: number[], seed: number) =>
    stack.use(device.tensor(shape, { data: uniform(shape, seed) }));
  using program = device.program();
  const convolve = (map: Tensor, outputs: number) =>
    program.conv2d(map, tensor([outputs, map.shape[1]!, 3, 3], outputs), {
      padding: 1,
    });
  const maps = [convolve(tensor([1, 16, 7, 7], 1), 64)];
  for (let layer = 0; layer < 4; layer++) {
    maps.push(convolve(program.concatenate(maps), 32));
  }
  program.output(program.concatenate(maps));
  await program.compile();
  const steps = program.describe().steps;
  assertEquals(
    steps.filter(({ operation }) => operation === "concatenate")
      .map(({ algorithm }) => algorithm),
    Array.from({ length: 5 }, () => "in place"),
  );
});
