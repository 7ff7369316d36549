/**
 * How many kernels a step of a network gives a GPU and how many bytes they move,
 * beside the least: what its convolutions, pools and matrices alone must move.
 * For a device that is only described; `report_traffic.sh` runs it.
 *
 * @module
 */

import type { ProgramStep } from "../../src/device/program_options.ts";
import { PRECISIONS } from "../../src/device/device_options.ts";
import { openDevice } from "../../src/device/open_device.ts";
import { type Flag, runCommand } from "../_command.ts";
import { UsageError } from "../_flags.ts";
import { describedSteps } from "./_described.ts";

const FLAGS = {
  models: {
    type: "string",
    placeholder: "LIST",
    help: "names as check_plans.sh takes them",
    default: "vgg16,resnet50,efficientnet_lite0",
  },
  size: { type: "string", help: "height and width of images", default: "224" },
  batch: { type: "string", help: "images a step", default: "256" },
  precision: { type: "string", help: PRECISIONS.join(", "), default: "bf16" },
} as const satisfies Record<string, Flag>;

/** What must move its operands whatever else is done on the way. */
const NEEDED =
  /^(conv2d(?! backward bias)|linear|max_pool2d|average_pool2d|prepare_images|adam)/;

await runCommand({
  name: "report_traffic.ts",
  summary: "Kernels and bytes of a step, beside the least.",
  flags: FLAGS,
}, async (flags) => {
  const precision = PRECISIONS.find((one) =>
    one === (flags.precision ?? FLAGS.precision.default)
  );
  if (!precision) {
    throw new UsageError(
      `--precision takes ${PRECISIONS.join(", ")}, not ${flags.precision}`,
    );
  }
  using device = openDevice("cuda", { precision });
  const models = (flags.models ?? FLAGS.models.default).split(",");
  const size = Number(flags.size ?? FLAGS.size.default);
  const batch = Number(flags.batch ?? FLAGS.batch.default);
  for (const model of models) {
    for (const training of [false, true]) {
      const job = { model: model.trim(), size, batch };
      const steps = await describedSteps(device, job, { training });
      print(
        `${job.model}, ${training ? "training" : "inference"}, ${precision}, ` +
          `batches of ${batch} at ${size}`,
        steps,
      );
    }
  }
});

interface Sum {
  steps: number;
  launches: number;
  bytes: number;
}

function sumOf(steps: readonly ProgramStep[]): Sum {
  const sum = { steps: 0, launches: 0, bytes: 0 };
  for (const { launches, bytes } of steps) {
    sum.steps++;
    sum.launches += launches;
    sum.bytes += bytes;
  }
  return sum;
}

/** Operations that make maps of no more than a pixel an image move next to nothing. */
function print(title: string, steps: readonly ProgramStep[]): void {
  const all = sumOf(steps);
  const least = sumOf(steps.filter(({ operation }) => NEEDED.test(operation)));
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(2);
  console.log(
    `\n${title}: ${all.launches} launches, ${gigabytes(all.bytes)} GB; the ` +
      `least ${least.steps} launches, ${gigabytes(least.bytes)} GB: ` +
      `${(all.launches / least.steps).toFixed(2)} and ` +
      `${(all.bytes / least.bytes).toFixed(2)} times as much\n`,
  );
  console.log("| operation | steps | launches | GB | share |");
  console.log("| --- | --- | --- | --- | --- |");
  const kinds = Map.groupBy(steps, ({ operation }) => operation);
  const rows = [...kinds].map(([operation, some]) => ({
    operation,
    ...sumOf(some),
  })).sort((a, b) => b.bytes - a.bytes);
  for (const { operation, steps, launches, bytes } of rows) {
    console.log(
      `| ${operation} | ${steps} | ${launches} | ${gigabytes(bytes)} | ` +
        `${Math.round(100 * bytes / all.bytes)} % |`,
    );
  }
}
