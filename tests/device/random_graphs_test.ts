/**
 * Random graphs, computed as they are and with every value in the middle kept
 * and asked for its gradient, which leaves little to fuse: both must agree.
 */

import { assertLessOrEqual } from "@std/assert";
import type { Device } from "../../src/device/device.ts";
import type { Program } from "../../src/device/program.ts";
import type { Tensor } from "../../src/device/tensor.ts";
import { Random } from "../../src/random.ts";
import { deviceTest } from "./_devices.ts";
import { uniform } from "./_uniform.ts";

/** Output and gradients of the graph that a seed draws. */
async function compute(
  device: Device,
  seed: number,
  { kept }: { kept: boolean },
): Promise<Float32Array[]> {
  const random = new Random(seed);
  using stack = new DisposableStack();
  const tensor = (shape: readonly number[], offset = 0) =>
    stack.use(device.tensor(shape, {
      data: uniform(shape, random.integer(1 << 30)).map((x) => x + offset),
    }));
  const program: Program = stack.use(
    device.program({ training: seed % 2 === 0 }),
  );
  const reads = new Map<Tensor, readonly Tensor[]>();
  const inputs = [tensor([2, 5, 8, 8])];
  const maps = [inputs[0]!];
  const parameter = (shape: readonly number[]) => {
    inputs.push(tensor(shape));
    return inputs.at(-1)!;
  };
  const made = (map: Tensor, ...operands: Tensor[]) => {
    maps.push(map);
    reads.set(map, operands);
  };
  for (let i = 0; i < 9; i++) {
    const map = maps[Math.max(0, maps.length - 1 - random.integer(3))]!;
    const [, channels = 0, height = 0] = map.shape;
    const alike = (own: boolean) =>
      maps.filter(({ shape }) =>
        shape[2] === height && (!own || shape.join() === map.shape.join())
      );
    const other = (own: boolean) => {
      const all = alike(own);
      return random.integer(4) === 0
        ? tensor(map.shape)
        : all[random.integer(all.length)]!;
    };
    switch (random.integer(9)) {
      case 0:
      case 1: {
        const outputs = [5, 8, 3][random.integer(3)]!;
        const weight = parameter([outputs, channels, 3, 3]);
        const bias = parameter([outputs]);
        const negativeSlope = [1, 0.2, 0][random.integer(3)]!;
        const options = { bias, padding: 1, negativeSlope };
        made(program.conv2d(map, weight, options), map, weight, bias);
        break;
      }
      case 2:
        made(program.leakyRelu(map, [0, 0.3][random.integer(2)]!), map);
        break;
      case 3: {
        const weight = parameter([channels]);
        const bias = parameter([channels]);
        const norm = program.batchNorm2d(map, {
          weight,
          bias,
          runningMean: tensor([channels]),
          runningVariance: tensor([channels], 1.5),
          negativeSlope: [1, 0.1][random.integer(2)]!,
        });
        made(norm, map, weight, bias);
        break;
      }
      case 4:
        if (height < 4) break;
        made(program.maxPool2d(map, 2, { stride: 1 + random.integer(2) }), map);
        break;
      case 5:
        made(program.averagePool2d(map, 3, { stride: 1, padding: 1 }), map);
        break;
      case 6:
      case 7: {
        const second = other(true);
        made(program.add(map, second), map, second);
        break;
      }
      case 8: {
        const second = other(false);
        made(program.concatenate([map, second]), map, second);
        break;
      }
    }
  }
  const output = program.output(maps.at(-1)!);
  if (!reads.has(output)) return [];
  const below = new Set<Tensor>();
  const descend = (value: Tensor) => {
    below.add(value);
    for (const operand of reads.get(value) ?? []) descend(operand);
  };
  descend(output);
  // Sometimes few targets, so that a branch has no gradient.
  const targets = inputs.filter((input) => below.has(input))
    .slice(...[[0, 1], [-2], [0]][seed % 3]!);
  const leads = (value: Tensor): boolean =>
    targets.includes(value) || (reads.get(value) ?? []).some(leads);
  const middle = maps.slice(1).filter((map) => below.has(map) && leads(map));
  const outputGradient = tensor(output.shape);
  if (targets.length === 0) return [];
  if (kept) { for (const map of middle) program.output(map); }
  const gradients = program.backward(
    output,
    kept ? [...targets, ...middle] : targets,
    { outputGradient },
  );
  await program.compile();
  await program.run("forward", "backward");
  await program.run("backward");
  return [output, ...gradients.slice(0, targets.length)].map((one) =>
    one.read()
  );
}

deviceTest("random graphs do not change by what is fused", async (device) => {
  let compared = 0;
  for (let seed = 0; seed < 80; seed++) {
    const fused = await compute(device, seed, { kept: false });
    const apart = await compute(device, seed, { kept: true });
    fused.forEach((values, i) => {
      let difference = 0;
      let norm = 1;
      values.forEach((value, j) => {
        difference += (value - apart[i]![j]!) ** 2;
        norm += value ** 2;
      });
      const error = Math.sqrt(difference / norm);
      assertLessOrEqual(error, 1e-4, `graph ${seed}, tensor ${i}`);
      compared++;
    });
  }
  assertLessOrEqual(100, compared);
});
