/**
 * NCCL with a single rank: what one GPU can show of it. Over stand-ins it runs in
 * nccl_test.ts, on a GPU in scripts/gpu/kit.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  batchNorm2d,
  conv2d,
  globalAveragePool,
  linear,
  Network,
  openDevice,
  sequential,
  sgd,
  TrainingProgram,
} from "../../mod.ts";
import { openCommunicator } from "../../src/device/open_communicator.ts";
import { describeBackend } from "../../src/device/open_device.ts";

const required = Deno.env.get("GAPCAM_REQUIRE") === "cuda";

function missing(): string {
  try {
    const { devices, nccl } = describeBackend("cuda");
    if (devices.length === 0) return "there is no GPU";
    return "problem" in nccl ? nccl.problem : "";
  } catch (error) {
    return String(error);
  }
}

const reason = required ? "" : missing();

Deno.test({
  name: `NCCL with one rank gives the numbers that a GPU gives alone, recorded${
    reason ? " (skipped: no GPU with NCCL)" : ""
  }`,
  ignore: reason !== "",
  fn: async () => {
    using device = openDevice("cuda");
    const communicator = await openCommunicator({
      launcher: {
        name: "torchrun",
        rank: 0,
        size: 1,
        meeting: { address: "127.0.0.1", port: 29500, run: "one GPU" },
      },
    });
    await device.join(communicator);
    const images = Uint8Array.from(
      { length: 8 * 12 * 12 * 3 },
      (_, i) => i * 37 % 251,
    );
    const labels = Int32Array.from({ length: 8 }, (_, i) => i % 4);
    const train = async (
      options: { reduce?: "ordered" | "fast"; alone?: boolean },
    ) => {
      using network = new Network(
        device,
        sequential([
          conv2d(3, 8, { kernelSize: 3, padding: 1 }),
          batchNorm2d(8),
          globalAveragePool(),
          linear(8, 4),
        ]),
        { seed: 5 },
      );
      using program = await TrainingProgram.compile(network, {
        batchSize: 8,
        image: { height: 12, width: 12, channels: 3 },
        optimiser: sgd({ learningRate: 0.1, momentum: 0.9 }),
        ...(options.alone ? {} : { communicator, syncBatchNorm: true }),
        reduce: options.reduce ?? "ordered",
      });
      for (let step = 0; step < 5; step++) await program.step(images, labels);
      const { lastLoss } = program.metrics({ reset: true });
      const { recorded } = program.describe() as { recorded?: boolean };
      const weights = [...network.state().values()].map(({ data }) => [
        ...data,
      ]);
      return { lastLoss, recorded, weights };
    };
    const alone = await train({ alone: true });
    for (const reduce of ["ordered", "fast"] as const) {
      const joined = await train({ reduce });
      assertEquals(joined.recorded, true);
      const apart = joined.weights.flatMap((values, i) =>
        values.map((value, j) => Math.abs(value - alone.weights[i]![j]!))
      );
      assertEquals(Math.max(...apart) < 1e-6, true, `${Math.max(...apart)}`);
    }
    await communicator.close();
  },
});
