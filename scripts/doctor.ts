/**
 * `deno task doctor`: what is there to work with, and what is missing.
 *
 * @module
 */

import { type Precision, PRECISIONS } from "../src/device/device_options.ts";
import { describeBackend, openDevice } from "../src/device/open_device.ts";
import type { MpiDescription } from "../src/device/communicator_description.ts";
import { findLauncher, type Launcher } from "../src/device/launcher.ts";
import { describeMpi } from "../src/device/open_communicator.ts";
import type { CudaDescription } from "../src/device/descriptions.ts";
import { libraryFolder } from "../src/device/_library.ts";
import { ABI_VERSION } from "../src/device/_symbols.ts";
import {
  DATASET_NAMES,
  datasetFolder,
  type DatasetName,
} from "../src/data/open_dataset.ts";
import { GapcamError } from "../src/error.ts";
import { Network } from "../src/nn/network.ts";
import { adam } from "../src/nn/optimiser.ts";
import { TrainingProgram } from "../src/nn/training_program.ts";
import { vgg } from "../src/models/vgg.ts";
import { type Flag, type FlagValues, runCommand } from "./_command.ts";
import { pretrainedCommand, usualPretrained } from "./_pretrained.ts";
import { shownPath } from "./_runs.ts";

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
  more?: object;
}

/** Data sets that are not fetched: one is made, the other is the user's own. */
const OWN_DATA: readonly DatasetName[] = ["shapes", "folder"];

async function main(flags: FlagValues<typeof FLAGS>): Promise<number> {
  const findings = [
    deno(),
    ...cpu(),
    memory(),
    ...DATASET_NAMES.filter((name) => !OWN_DATA.includes(name)).map(dataset),
    pretrained(),
    ...gpu(),
    ...ranks(),
  ];
  if (
    flags.verbose && findings.some(({ name, found }) => name === "GPU" && found)
  ) {
    for (const precision of PRECISIONS) findings.push(await fusion(precision));
  }
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
      cache(described.cacheFolder),
    ];
  } catch (error) {
    return [{ name: "CPU library", found: false, detail: sentence(error) }];
  }
}

/** What would join several processes, and what started this one as one of them. */
function ranks(): Finding[] {
  const findings: Finding[] = [];
  let mpi: MpiDescription;
  try {
    mpi = describeMpi();
  } catch {
    // The CPU's library, which asks, is missing, as is said above.
    return [];
  }
  findings.push(
    "problem" in mpi ? { name: "MPI", found: false, detail: mpi.problem } : {
      name: "MPI",
      found: true,
      detail: `${mpi.version}, ${mpi.library}, ABI ${mpi.abi}`,
      more: mpi,
    },
  );
  let launcher: Launcher | undefined;
  try {
    launcher = findLauncher();
  } catch (error) {
    return [...findings, {
      name: "Launcher",
      found: false,
      detail: sentence(error),
    }];
  }
  if (!launcher) return findings;
  const { name, rank, size } = launcher;
  const unlike = size > 1 && "abi" in mpi && (
    (name.includes("Open MPI") && mpi.abi === "mpich") ||
    (name.includes("MPICH") && mpi.abi === "open-mpi")
  );
  findings.push({
    name: "Launcher",
    found: !unlike,
    detail: unlike
      ? `${name} does not fit the library, for which each of its ${size} ` +
        "processes would be the only one; name the launcher's library with " +
        "GAPCAM_MPI_LIBRARY"
      : `${name}, which made this rank ${rank} of ${size}`,
    more: launcher,
  });
  return findings;
}

/** Where timings and kernels are kept. */
function cache(folder: string): Finding {
  return {
    name: "Cache",
    found: folder !== "",
    detail: folder ||
      "no folder can be made; set GAPCAM_CACHE to the absolute path of one, " +
        "else convolutions are timed anew in each process",
  };
}

function memory(): Finding {
  const { total, available } = Deno.systemMemoryInfo();
  return {
    name: "Memory",
    found: true,
    detail: `${gib(available)} GiB free of ${gib(total)} GiB`,
  };
}

function gib(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(1);
}

function dataset(name: DatasetName): Finding {
  const folder = datasetFolder(name);
  return {
    name,
    found: folder !== undefined,
    detail: folder ?? `fetch it with: deno task data ${name}`,
  };
}

/** The network that looks at photographs where none is named. */
function pretrained(): Finding {
  const path = usualPretrained();
  return {
    name: "Pretrained",
    found: path !== undefined,
    detail: path === undefined
      ? `get a network with: ${pretrainedCommand()}`
      : shownPath(path),
  };
}

/** The first GPU, and the libraries that it is used through. */
function gpu(): Finding[] {
  let backend: CudaDescription | undefined;
  try {
    backend = describeBackend("cuda");
    using device = openDevice("cuda");
    const { name, computeCapability, bytes, index } = device.describe();
    const { length } = backend.devices;
    const which = length > 1 ? `, number ${index} of ${length}` : "";
    return [{
      name: "GPU",
      found: true,
      detail: `${name}, compute capability ${computeCapability}, ` +
        `${gib(bytes)} GiB${which}`,
      more: backend,
    }, ...libraries(backend)];
  } catch (error) {
    return [{
      name: "GPU",
      found: false,
      detail: sentence(error),
      // What was found, even where no device can be opened.
      more: backend ?? {},
    }, ...libraries(backend)];
  }
}

/** NVIDIA's libraries, unless there is none: the GPU's own line says enough then. */
function libraries(backend: CudaDescription | undefined): Finding[] {
  if (!backend?.libraries.some(({ path }) => path)) return [];
  const { libraries: all, nccl } = backend;
  return [
    ...all.map(({ name, path, version, problem }) => ({
      name,
      found: problem === undefined,
      detail: problem ?? `${version}, ${path}`,
    })),
    "problem" in nccl
      ? {
        name: "NCCL",
        found: false,
        detail: `${nccl.problem}; needed for several GPUs alone`,
      }
      : {
        name: "NCCL",
        found: true,
        detail: `${nccl.version}, ${nccl.library}`,
      },
  ];
}

/** Which convolutions of a small training step run as one graph with what follows them. */
async function fusion(precision: Precision): Promise<Finding> {
  const name = `Plans in ${precision}`;
  try {
    using device = openDevice("cuda", { precision });
    using network = new Network(
      device,
      vgg([64, 64], { classes: 10 }),
    );
    using _training = await TrainingProgram.compile(network, {
      batchSize: 1,
      image: { height: 8, width: 8, channels: 3 },
      optimiser: adam(),
    });
    const planned = device.describe().convolutions;
    const named = planned.filter(({ algorithm }) =>
      algorithm.includes("fused")
    );
    const unfused = named.filter(({ algorithm }) =>
      algorithm.includes("not fused")
    ).map(({ graph, reason }) => reason ? `${graph} (${reason})` : graph);
    return {
      name,
      found: true,
      detail: unfused.length === 0
        ? `${named.length} graphs are fused`
        : `${unfused.length} of ${named.length} graphs are not fused: ` +
          unfused.join("; "),
      more: { convolutions: planned },
    };
  } catch (error) {
    return { name, found: false, detail: sentence(error) };
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
