import { GapcamError } from "../error.ts";
import { kindOf } from "./_file_kind.ts";
import { Unpickler } from "./_pickle_read.ts";
import { bad } from "./_pickle_values.ts";
import { quote } from "./_quote.ts";
import { readBytes } from "./_read_bytes.ts";
import { findStateDict, type WeightsFit } from "./_state_dict_search.ts";
import { gather, isContiguous } from "./_strided.ts";
import {
  isTensor,
  storageLength,
  torchGlobals,
  type TorchStorage,
  torchStorage,
  type TorchTensor,
} from "./_torch_objects.ts";
import { ZipArchive } from "./_zip_read.ts";
import { ELEMENT_BYTES, type StoredTensor } from "./stored_tensor.ts";
import { elementCount } from "../host_tensor.ts";
import { readMetadata } from "./_pytorch_metadata.ts";

/** What a file of PyTorch's holds. */
export interface PytorchFile {
  /** Tensors by name, in the file's order. */
  readonly tensors: Map<string, StoredTensor>;
  /** Texts by name, as {@linkcode writePytorch} keeps them. */
  readonly metadata: Readonly<Record<string, string>>;
  /** What was left out or renamed, one sentence each. */
  readonly notes: string[];
}

/**
 * Most bytes that tensors with gaps or in another order may be copied to: a
 * stride of 0 makes any number of values out of one.
 */
function copyLimit(fileLength: number): number {
  return 4 * fileLength + 2 ** 26;
}

/** First bytes of a file that PyTorch before 1.6 wrote: its magic number. */
const LEGACY_START = [0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20];

/** First bytes of a zip archive. */
const ZIP_START = [0x50, 0x4b];

/** Whether bytes begin as a file of `torch.save` does: a zip, or the older one. */
export function isPytorch(bytes: Uint8Array): boolean {
  return startsWith(bytes, ZIP_START) || startsWith(bytes, LEGACY_START);
}

/**
 * Reads a state dict that `torch.save` wrote, a `.pt` or `.pth` file, of any
 * version of PyTorch from 0.2 on.
 *
 * Such a file is a pickle, which is a program: Python runs what it says. This
 * reader knows tensors, dicts, lists, tuples, texts and numbers, and refuses
 * everything else by its name without running anything. Tensors are views of
 * the bytes where they lie in row-major order, else copies.
 *
 * @param bytes The whole file.
 * @param options `name`, what errors call the file; `fit`, how well a state dict
 * fits what is wanted, by its names and shapes.
 * @returns The state dict; of several in a checkpoint (`state_dict`, `ema`, an
 * optimiser's) the one that fits best, or has most names of layers' tensors.
 * What wrappers put into names, such as the `module.` of data-parallel
 * training, is removed.
 * @throws {GapcamError} If the file is damaged, asks for anything but tensors,
 * or has no state dict.
 *
 * @example Write one, read it
 * ```ts
 * import { encodePytorch, parsePytorch } from "@gapcam/gapcam/weights";
 *
 * const bytes = encodePytorch(
 *   new Map([["bias", { shape: [2], data: new Float32Array([1, 2]) }]]),
 * );
 * if (parsePytorch(bytes).tensors.get("bias")?.shape[0] !== 2) throw new Error();
 * ```
 */
export function parsePytorch(
  bytes: Uint8Array,
  options: { name?: string; fit?: WeightsFit } = {},
): PytorchFile {
  try {
    const { value, storageBytes, metadata = {} } =
      startsWith(bytes, LEGACY_START) ? readLegacy(bytes) : readArchive(bytes);
    const { tensors, notes } = findStateDict(value, isTensor, options.fit);
    let budget = copyLimit(bytes.length);
    const stored = new Map<string, StoredTensor>();
    for (const [name, tensor] of tensors) {
      const { shape, strides, dtype } = tensor;
      if (!isContiguous(shape, strides)) budget -= byteLength(tensor);
      if (!(budget >= 0)) {
        bad(
          `its tensors repeat their values beyond ${
            copyLimit(bytes.length)
          } bytes`,
        );
      }
      stored.set(name, {
        dtype,
        shape: [...shape],
        bytes: tensorBytes(tensor, storageBytes(tensor.storage)),
      });
    }
    return { tensors: stored, metadata, notes };
  } catch (error) {
    if (!(error instanceof GapcamError)) throw error;
    throw new GapcamError(
      error.code,
      `Cannot read ${options.name ?? "PyTorch bytes"}: ${error.message}`,
      { cause: error },
    );
  }
}

/**
 * Reads a state dict from a `.pt` or `.pth` file.
 *
 * @param path Path of the file.
 * @returns The same as {@linkcode parsePytorch}.
 * @throws {GapcamError} If there is no such file, or as {@linkcode parsePytorch}.
 *
 * @example What was left out or renamed
 * ```ts
 * import { readPytorch, writePytorch } from "@gapcam/gapcam/weights";
 *
 * const path = await Deno.makeTempFile({ suffix: ".pth" });
 * await writePytorch(
 *   path,
 *   new Map([["module.bias", { shape: [1], data: new Float32Array(1) }]]),
 * );
 * const { tensors, notes } = await readPytorch(path);
 * if (!tensors.has("bias") || notes.length !== 1) throw new Error();
 * await Deno.remove(path);
 * ```
 */
export async function readPytorch(path: string): Promise<PytorchFile> {
  return parsePytorch(await readBytes(path), { name: path });
}

interface Loaded {
  value: unknown;
  storageBytes: (storage: TorchStorage) => Uint8Array;
  metadata?: Record<string, string>;
}

/** PyTorch 1.6 and later: a zip with `data.pkl` and a file for each storage. */
function readArchive(bytes: Uint8Array): Loaded {
  if (!isPytorch(bytes)) {
    bad(
      `it is ${kindOf(bytes)} and no file of torch.save: expected a zip ` +
        "archive or the magic number of PyTorch before 1.6",
    );
  }
  const archive = new ZipArchive(bytes);
  const pickles = archive.names().filter((name) =>
    name === "data.pkl" || name.endsWith("/data.pkl")
  );
  const [pickle] = pickles;
  if (pickle === undefined || pickles.length > 1) {
    bad(
      pickles.length === 0
        ? "it is a zip archive without data.pkl, which no file of torch.save is"
        : `its archive has ${pickles.length} files data.pkl, expected 1`,
    );
  }
  const folder = pickle.slice(0, -"data.pkl".length);
  if (archive.has(`${folder}constants.pkl`)) {
    bad("it is a TorchScript program; in PyTorch, save its state_dict() alone");
  }
  if (archive.has(`${folder}byteorder`)) {
    const order = new TextDecoder().decode(archive.read(`${folder}byteorder`));
    if (order !== "little") {
      bad(`its byte order is ${quote(order)}, expected "little"`);
    }
  }
  const data = archive.read(pickle);
  const value = new Unpickler(data, {
    findGlobal: torchGlobals(data.length),
    findPersistent: torchStorage,
  }).load();
  const read = new Map<string, Uint8Array>();
  return {
    value,
    metadata: readMetadata(archive, folder),
    storageBytes: (storage) => {
      const content = read.get(storage.key) ??
        archive.read(`${folder}data/${storage.key}`);
      read.set(storage.key, content);
      return content;
    },
  };
}

/**
 * PyTorch before 1.6: pickles of magic number, version, machine, value and
 * storage names, then each storage with its length before it. torchvision's
 * published weights are such files.
 */
function readLegacy(bytes: Uint8Array): Loaded {
  const context = {
    findGlobal: torchGlobals(bytes.length),
    findPersistent: (id: unknown) => {
      const storage = torchStorage(id);
      const known = storages.get(storage.key);
      if (known && known.dtype !== storage.dtype) {
        bad(`storage ${quote(storage.key)} has two types`);
      }
      storages.set(storage.key, storage);
      return storage;
    },
  };
  const storages = new Map<string, TorchStorage>();
  let position = 0;
  const next = () => {
    const unpickler = new Unpickler(bytes, context, position);
    const value = unpickler.load();
    position = unpickler.position;
    return value;
  };
  next();
  const version = next();
  if (version !== 1001) bad(`its version is ${version}, expected 1001`);
  const machine = next();
  if (!(machine instanceof Map) || machine.get("little_endian") !== true) {
    bad("it was written on a machine of another byte order");
  }
  const value = next();
  const keys = next();
  if (!Array.isArray(keys)) bad("it has no list of storages");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const contents = new Map<string, Uint8Array>();
  for (const key of keys) {
    const storage = storages.get(key);
    const untyped = storage?.dtype === undefined &&
      storage?.foreignBytes === undefined;
    if (!storage || untyped || contents.has(key)) {
      bad("its list of storages does not fit its tensors");
    }
    if (position + 8 > bytes.length) bad("it is cut short");
    const length = Number(view.getBigInt64(position, true));
    const end = position + 8 + storageLength(storage);
    if (length !== storage.length) {
      bad(
        `storage ${quote(key)} has ${length} elements, ` +
          `expected ${storage.length}`,
      );
    }
    if (end > bytes.length) bad("it is cut short");
    contents.set(key, bytes.subarray(position + 8, end));
    position = end;
  }
  return {
    value,
    storageBytes: (storage) =>
      contents.get(storage.key) ??
        bad(`it has no storage ${quote(storage.key)}`),
  };
}

function tensorBytes(tensor: TorchTensor, storage: Uint8Array): Uint8Array {
  const { dtype, offset, shape, strides } = tensor;
  const size = ELEMENT_BYTES[dtype];
  const held = storageLength(tensor.storage);
  if (held > storage.length) {
    bad(
      `storage ${quote(tensor.storage.key)} has ${storage.length} bytes, ` +
        `expected ${held}`,
    );
  }
  if (shape.includes(0)) return new Uint8Array(0);
  if (isContiguous(shape, strides)) {
    const begin = offset * size;
    return storage.subarray(begin, begin + byteLength(tensor));
  }
  return gather(storage, size, tensor);
}

function byteLength({ shape, dtype }: TorchTensor): number {
  return ELEMENT_BYTES[dtype] * elementCount(shape);
}

function startsWith(bytes: Uint8Array, start: readonly number[]): boolean {
  return start.every((byte, i) => bytes[i] === byte);
}
