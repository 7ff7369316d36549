/**
 * `deno task doctor`: what is there to work with, and what is missing.
 *
 * @module
 */

import { describeBackend, openDevice } from "../src/device/device.ts";
import { libraryFolder } from "../src/device/_library.ts";
import { ABI_VERSION } from "../src/device/_symbols.ts";
import {
  DATASET_NAMES,
  datasetFolder,
  type DatasetName,
} from "../src/data/open_dataset.ts";
import { GapcamError } from "../src/error.ts";
import { type Flag, type FlagValues, runCommand } from "./_command.ts";

const FLAGS = {
  verbose: { type: "boolean", help: "show all that the libraries say" },
  json: { type: "boolean", help: "print one JSON object" },
} as const satisfies Record<string, Flag>;

/** One thing that was looked for. */
interface Finding {
  name: string;
  /** Whether it is there. */
  found: boolean;
  /** What was found, or what to do. */
  detail: string;
  /** All that is known, for `--verbose`. */
  more?: Record<string, unknown>;
}

function main(flags: FlagValues<typeof FLAGS>): number {
  const findings = [
    deno(),
    ...cpu(),
    memory(),
    ...DATASET_NAMES.filter((name) => name !== "shapes").map(dataset),
    gpu(),
  ];
  const computes = findings.some(({ name, found }) =>
    found && (name === "CPU" || name === "GPU")
  );
  if (flags.json) {
    console.log(JSON.stringify({ computes, findings }, undefined, 2));
    return computes ? 0 : 1;
  }
  const width = Math.max(...findings.map(({ name }) => name.length));
  for (const { name, found, detail, more } of findings) {
    console.log(
      `${found ? "found  " : "missing"}  ${name.padEnd(width)}  ${detail}`,
    );
    if (flags.verbose && more) {
      for (const line of JSON.stringify(more, undefined, 2).split("\n")) {
        console.log(`         ${"".padEnd(width)}  ${line}`);
      }
    }
  }
  console.log(
    computes
      ? "\nReady: deno task train"
      : "\nNothing to compute with: run sh scripts/setup.sh",
  );
  return computes ? 0 : 1;
}

function deno(): Finding {
  const { deno, v8, typescript } = Deno.version;
  const { os, arch } = Deno.build;
  return {
    name: "Deno",
    found: true,
    detail: `${deno} on ${os} ${arch}`,
    more: { deno, v8, typescript },
  };
}

/** The CPU's library, and what runs in it. */
function cpu(): Finding[] {
  const path = `${libraryFolder()}/libgapcam_cpu.so`;
  try {
    const described = describeBackend("cpu");
    using device = openDevice("cpu");
    const { threads } = device.describe();
    return [
      {
        name: "CPU library",
        found: true,
        detail: `${path}, ABI version ${ABI_VERSION}`,
      },
      {
        name: "CPU",
        found: true,
        detail: `${described.version}, ${threads} threads on ` +
          `${described.processors} processors`,
        more: described,
      },
    ];
  } catch (error) {
    return [{ name: "CPU library", found: false, detail: sentence(error) }];
  }
}

function memory(): Finding {
  const { total, available } = Deno.systemMemoryInfo();
  const gib = (bytes: number) => (bytes / 2 ** 30).toFixed(1);
  return {
    name: "Memory",
    found: true,
    detail: `${gib(available)} GiB free of ${gib(total)} GiB`,
  };
}

function dataset(name: DatasetName): Finding {
  const folder = datasetFolder(name);
  return {
    name,
    found: folder !== undefined,
    detail: folder ?? `fetch it with: deno task data ${name}`,
  };
}

function gpu(): Finding {
  try {
    using device = openDevice("cuda");
    const described = device.describe();
    return {
      name: "GPU",
      found: true,
      detail: String(described.version),
      more: described,
    };
  } catch (error) {
    return {
      name: "GPU",
      found: false,
      detail: sentence(error),
      ...describedCuda(),
    };
  }
}

/** What the CUDA library found, even where no device can be opened. */
function describedCuda(): { more?: Record<string, unknown> } {
  try {
    return { more: describeBackend("cuda") };
  } catch {
    return {};
  }
}

function sentence(error: unknown): string {
  if (error instanceof GapcamError) return error.message;
  throw error;
}

await runCommand({
  name: "doctor",
  summary: "Lists what is there to train with, and what is missing.",
  flags: FLAGS,
}, main);
