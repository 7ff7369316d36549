/**
 * Maps of bf16: every operation on odd shapes, forward and backward, where its
 * operands are numbers that bf16 holds.
 */

import { assertLessOrEqual } from "@std/assert";
import { openDevice } from "../../src/device/open_device.ts";
import type { Tensor } from "../../src/device/tensor.ts";
import { type Array64, array64, type Case } from "../operations/_case.ts";
import { cases } from "../operations/cases.ts";
import { backendTest } from "./_devices.ts";
import { uniform } from "./_uniform.ts";

/** Some roundings to 8 bits, one after the other. */
const BOUND = 1.5e-2;

/** Multiples of 1 / 128 between -1 and 1. */
function coarse(shape: readonly number[], seed: number): Float32Array {
  return uniform(shape, seed).map((x) => Math.round(128 * x) / 128);
}

function assertClose(
  actual: Float32Array,
  expected: Float64Array,
  what: string,
): void {
  const difference = expected.map((value, i) => value - actual[i]!);
  const error = Math.hypot(...difference) /
    Math.max(Math.hypot(...expected), 1e-10);
  assertLessOrEqual(error, BOUND, `${what}: relative error`);
}

async function checkCase(one: Case): Promise<void> {
  using device = openDevice("cuda", { precision: "bf16" });
  const names = Object.keys(one.inputs);
  const tensors: Record<string, Tensor> = {};
  const arrays: Record<string, Array64> = {};
  names.forEach((name, i) => {
    const data = coarse(one.inputs[name]!, i + 1);
    tensors[name] = device.tensor(one.inputs[name]!, { data });
    arrays[name] = array64(one.inputs[name]!, data);
  });
  const expected = one.compute(arrays);
  using program = device.program({ training: true });
  const output = program.output(one.record(program, tensors));
  const dOutput = coarse(output.shape, 9);
  using outputGradient = device.tensor(output.shape, { data: dOutput });
  const gradients = one.forwardOnly ? [] : program.backward(
    output,
    names.map((name) => tensors[name]!),
    { outputGradient },
  );
  await program.compile();
  await program.run("forward");
  assertClose(output.read(), expected.output.data, one.name);
  if (one.forwardOnly) return;
  await program.run("backward");
  const wanted = expected.backward(Float64Array.from(dOutput));
  names.forEach((name, i) =>
    assertClose(
      gradients[i]!.read(),
      wanted[name]!,
      `${one.name}: gradient of ${name}`,
    )
  );
}

const chosen = cases.filter(({ name, inputs }) =>
  !name.startsWith("conv2d") &&
  Object.values(inputs).every((shape) => !shape.includes(33))
);
for (
  const operation of new Set(chosen.map(({ name }) => name.split(" ")[0]!))
) {
  backendTest(
    "cuda",
    `${operation} of bf16 maps is near plain loops`,
    async () => {
      for (const one of chosen) {
        if (one.name.startsWith(operation)) await checkCase(one);
      }
    },
  );
}
