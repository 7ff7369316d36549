/**
 * Every parser that meets bytes from elsewhere, with real files for each.
 *
 * @module
 */

import { encodeNpy } from "../../src/cam/encode_npy.ts";
import { openCifar } from "../../src/data/cifar.ts";
import { parseIdx } from "../../src/data/idx.ts";
import { openStl10 } from "../../src/data/stl10.ts";
import { GapcamError } from "../../src/error.ts";
import { vgg } from "../../src/models/vgg.ts";
import { Random } from "../../src/random.ts";
import { initialWeights } from "../../src/train/initial_weights.ts";
import { Unpickler } from "../../src/weights/_pickle_read.ts";
import {
  torchGlobals,
  torchStorage,
} from "../../src/weights/_torch_objects.ts";
import { ZipArchive } from "../../src/weights/_zip_read.ts";
import { mapVggWeights, vggFit } from "../../src/models/map_vgg_weights.ts";
import { parseWeights } from "../../src/weights/read_weights.ts";
import { parsePytorch } from "../../src/weights/read_pytorch.ts";
import { recogniseVgg } from "../../src/models/recognise_vgg.ts";
import { parseNpy } from "../../src/weights/read_npy.ts";
import { parseSafetensors } from "../../src/weights/read_safetensors.ts";
import {
  type StoredTensor,
  toHostTensor,
} from "../../src/weights/stored_tensor.ts";
import { encodeSafetensors } from "../../src/weights/write_safetensors.ts";
import { IMAGE_TARGETS } from "./image_targets.ts";
import { ONNX_TARGET } from "./onnx_target.ts";
import type { FuzzTarget } from "./run_target.ts";

const WEIGHTS = new URL("../../tests/fixtures/weights/", import.meta.url);

const PYTORCH_FILES = [
  "protocol2.pt",
  "protocol4.pt",
  "deflated.pt",
  "legacy.pt",
  "python2.pt",
  "checkpoint.pt",
  "untyped.pt",
  "written.pt",
];

/** As other people save them: nested, wrapped, under other names. */
const FOREIGN_FILES = [
  "best_acc_tensor.pth.tar",
  "encoder.pt",
  "features_module.pth.tar",
  "head_1x1conv.pth",
  "lightning.ckpt",
  "many_dicts.pt",
  "odd_types.safetensors",
  "student.ckpt",
];
const FOREIGN_TRUNK = [8, "M", 16] as const;

/** The targets, by name. */
export const TARGETS: readonly FuzzTarget[] = [
  ONNX_TARGET,
  {
    name: "safetensors",
    seeds: () => [
      read("all_types.safetensors"),
      encodeSafetensors(
        new Map([
          ["features.0.weight", { shape: [2, 3], data: new Float32Array(6) }],
          ["features.0.bias", { shape: [2], data: new Float32Array(2) }],
        ]),
        { format: "gapcam", classes: '["cat","dog"]' },
      ),
    ],
    parse: (bytes) => convert(parseSafetensors(bytes).tensors),
  },
  {
    name: "pytorch",
    seeds: () => PYTORCH_FILES.map(read),
    parse: (bytes) => convert(parsePytorch(bytes).tensors),
  },
  {
    name: "weights",
    seeds: () => FOREIGN_FILES.map((name) => read(`foreign/${name}`)),
    parse: (bytes) => {
      const { tensors } = parseWeights(bytes, { fit: vggFit(FOREIGN_TRUNK) });
      mapVggWeights(tensors, FOREIGN_TRUNK);
      initialWeights(vgg(FOREIGN_TRUNK, { classes: 4 }), tensors);
      recogniseVgg(tensors);
    },
  },
  {
    name: "zip",
    seeds: () => ["deflated.pt", "protocol2.pt", "written.pt"].map(read),
    parse: (bytes) =>
      sentence(() => {
        const archive = new ZipArchive(bytes);
        for (const name of archive.names()) archive.read(name);
      }),
  },
  {
    name: "pickle",
    seeds: () =>
      ["protocol2.pt", "protocol4.pt", "checkpoint.pt", "untyped.pt"].map(
        (name) => {
          const archive = new ZipArchive(read(name));
          return archive.read(
            archive.names().find((entry) => entry.endsWith("data.pkl"))!,
          );
        },
      ),
    parse: (bytes) =>
      sentence(() =>
        new Unpickler(bytes, {
          findGlobal: torchGlobals(bytes.length),
          findPersistent: torchStorage,
        }).load()
      ),
  },
  {
    name: "npy",
    seeds: () => [
      encodeNpy({
        ...{ height: 3, width: 4 },
        data: Float32Array.from({ length: 12 }, (_, i) => i),
      }),
      join(
        [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 2, 0, 60, 0, 0, 0],
        new TextEncoder().encode(
          "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }"
            .padEnd(59) + "\n",
        ),
        noise(16),
      ),
    ],
    parse: (bytes) => sentence(() => parseNpy(bytes)),
  },
  {
    name: "idx",
    seeds: () => [
      join([0, 0, 8, 1, 0, 0, 0, 5], noise(5)),
      join([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 3], noise(24)),
    ],
    parse: (bytes) => parseIdx(bytes),
  },
  {
    name: "stl10",
    seeds: () => [join(noise(2 * 27648), [1, 10]), join(noise(27648), [3])],
    parse: (bytes) => {
      // The labels are the file's end, as many as there are images.
      const images = Math.floor(bytes.length / 27649) * 27648 ||
        bytes.length;
      return withFiles({
        "test_X.bin": bytes.subarray(0, images),
        "test_y.bin": bytes.subarray(images),
      }, (folder) => openStl10("test", folder));
    },
  },
  {
    name: "cifar10",
    seeds:
      () => [join([7], noise(3072)), join([0], noise(3072), [9], noise(3072))],
    parse: (bytes) =>
      withFiles(
        { "test_batch.bin": bytes },
        (folder) => openCifar("cifar10", "test", folder),
      ),
  },
  {
    name: "cifar100",
    seeds: () => [join([7, 99], noise(3072))],
    parse: (bytes) =>
      withFiles(
        { "test.bin": bytes },
        (folder) => openCifar("cifar100", "test", folder),
      ),
  },
  ...IMAGE_TARGETS,
];

function read(name: string): Uint8Array {
  return Deno.readFileSync(new URL(name, WEIGHTS));
}

function convert(tensors: ReadonlyMap<string, StoredTensor>): void {
  for (const [name, tensor] of tensors) {
    // Refused by name, which is no news here.
    if (tensor.dtype.startsWith("F8") || tensor.dtype === "C64") continue;
    toHostTensor(tensor, name);
  }
}

/** Makes a sentence of what inner parsers say about "it". */
function sentence(parse: () => unknown): unknown {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof GapcamError)) throw error;
    throw new GapcamError(error.code, `Cannot read bytes: ${error.message}`);
  }
}

/** Parsers of folders. */
function withFiles(
  files: Readonly<Record<string, Uint8Array>>,
  use: (folder: string) => unknown,
): unknown {
  const folder = fuzzFolder();
  Deno.mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) {
    Deno.writeFileSync(`${folder}/${name}`, bytes);
  }
  return use(folder);
}

/**
 * Where this process puts files for parsers of folders, in memory where the
 * system has it. Remove it at the end.
 */
export function fuzzFolder(): string {
  return `${hasSharedMemory() ? "/dev/shm" : "/tmp"}/gapcam_fuzz_${Deno.pid}`;
}

function hasSharedMemory(): boolean {
  try {
    return Deno.statSync("/dev/shm").isDirectory;
  } catch {
    return false;
  }
}

function noise(length: number): Uint8Array {
  const random = new Random(length);
  return Uint8Array.from({ length }, () => random.integer(256));
}

function join(...pieces: ArrayLike<number>[]): Uint8Array {
  return Uint8Array.from(pieces.flatMap((piece) => Array.from(piece)));
}
