/**
 * How many kernels a step says that it gives a GPU, and how many it does.
 *
 * @module
 */

import { assertEquals, assertGreater } from "@std/assert";
import { MODELS } from "../../src/models/find_model.ts";
import type { ProgramStep } from "../../src/device/program_options.ts";
import { Network } from "../../src/nn/network.ts";
import { adam } from "../../src/nn/optimiser.ts";
import { TrainingProgram } from "../../src/nn/training_program.ts";
import { openTestDevice, simulated } from "./_test_device.ts";

/** Of the stand-in for the driver: kernels since the device was opened. */
function counter(): () => number {
  const folder = Deno.env.get("GAPCAM_NVIDIA_FOLDER");
  const { symbols } = Deno.dlopen(`${folder}/libcuda.so.1`, {
    cudasim_counts: { parameters: ["buffer", "buffer"], result: "void" },
  });
  const allocations = new BigInt64Array(1), launches = new BigInt64Array(1);
  return () => {
    symbols.cudasim_counts(allocations, launches);
    return Number(launches[0]);
  };
}

/** Those that are NVIDIA's own, which the stand-ins do not count. */
function ofLibraries({ operation, algorithm }: ProgramStep): number {
  if (operation === "linear backward") return 2;
  return algorithm.startsWith("cu") ? 1 : 0;
}

Deno.test({
  name: "a step tells how many kernels it gives the GPU",
  ignore: !simulated,
  fn: async () => {
    const launches = counter();
    const jobs = [["f32", "resnet18", 2], ["bf16", "mobilenet_v2", 3]] as const;
    for (const [precision, name, beside] of jobs) {
      using device = openTestDevice({ precision, synchronous: true });
      using network = new Network(
        device,
        MODELS[name]!.build({ classes: 7 }),
        { seed: 1 },
      );
      const program = await TrainingProgram.compile(network, {
        ...{ batchSize: 2, optimiser: adam() },
        image: { height: 16, width: 16, channels: 3 },
      });
      const images = new Uint8Array(2 * 16 * 16 * 3).fill(90, 9, 900);
      const labels = Int32Array.of(1, 2);
      await program.step(images, labels);
      program.metrics();
      const before = launches();
      await program.step(images, labels);
      const made = launches() - before;
      const told = program.describe().steps.reduce(
        (sum, step) => sum + step.launches - ofLibraries(step),
        0,
      );
      assertGreater(told, 50);
      // Beside the steps: weights are prepared, and settings written, of
      // dropout too.
      assertEquals(made - told, beside, name);
      program[Symbol.dispose]();
    }
  },
});
