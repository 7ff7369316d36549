import { GapcamError } from "../error.ts";
import { concatenate } from "./_concatenate.ts";
import { Pickler } from "./_pickle_write.ts";
import { quote } from "./_quote.ts";
import { storedTensor } from "./_stored.ts";
import { writeAtomically } from "../_write_atomically.ts";
import { METADATA_ENTRY } from "./_pytorch_metadata.ts";
import { layOutZip } from "./_zip_write.ts";
import { elementCount, type HostTensor } from "../host_tensor.ts";
import type { StoredTensor, StoredType } from "./stored_tensor.ts";

const STORAGE_CLASSES: Readonly<Partial<Record<StoredType, string>>> = {
  F64: "DoubleStorage",
  F32: "FloatStorage",
  F16: "HalfStorage",
  BF16: "BFloat16Storage",
  I64: "LongStorage",
  I32: "IntStorage",
  I16: "ShortStorage",
  I8: "CharStorage",
  U8: "ByteStorage",
  BOOL: "BoolStorage",
};

/**
 * Writes tensors as a state dict that PyTorch's
 * `torch.load(path, weights_only=True)` reads, atomically.
 *
 * @param path The file to write, usually `.pt` or `.pth`.
 * @param tensors Tensors by name, in the order they get.
 * @param metadata Texts by name, which PyTorch passes over. Default: none.
 * @throws {GapcamError} If a tensor's values do not fit its shape or PyTorch
 * has no storage of its type, if there are more than 4 GiB, or if the file
 * cannot be written.
 *
 * @example For `torch.load(path, weights_only=True)`
 * ```ts
 * import { initialise, vgg } from "@gapcam/gapcam";
 * import { readPytorch, writePytorch } from "@gapcam/gapcam/weights";
 *
 * const path = await Deno.makeTempFile({ suffix: ".pt" });
 * await writePytorch(path, initialise(vgg([4, "M", 8], { classes: 2 }), 0));
 * if ((await readPytorch(path)).tensors.size !== 6) throw new Error();
 * await Deno.remove(path);
 * ```
 */
export async function writePytorch(
  path: string,
  tensors: ReadonlyMap<string, HostTensor | StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeAtomically(path, layOut(tensors, metadata));
}

/**
 * Gives the bytes that {@linkcode writePytorch} writes. The same tensors in the
 * same order give the same bytes.
 *
 * @param tensors Tensors by name, in the order they get.
 * @param metadata Texts by name. Default: none.
 * @returns A whole `.pt` file.
 * @throws {GapcamError} As {@linkcode writePytorch}.
 *
 * @example A zip archive
 * ```ts
 * import { encodePytorch } from "@gapcam/gapcam/weights";
 *
 * const bytes = encodePytorch(
 *   new Map([["weight", { shape: [1, 2], data: new Float32Array(2) }]]),
 * );
 * if (bytes[0] !== 0x50 || bytes[1] !== 0x4b) throw new Error();
 * ```
 */
export function encodePytorch(
  tensors: ReadonlyMap<string, HostTensor | StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  return concatenate(layOut(tensors, metadata));
}

function layOut(
  tensors: ReadonlyMap<string, HostTensor | StoredTensor>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array[] {
  const stored = [...tensors].map(([name, tensor]) => ({
    name,
    ...storedTensor(name, tensor),
  }));
  const text = (content: string) => new TextEncoder().encode(content);
  return layOutZip([
    ["archive/data.pkl", pickle(stored)],
    ["archive/byteorder", text("little")],
    ...stored.map(({ bytes }, i) => [`archive/data/${i}`, bytes] as const),
    ["archive/version", text("3\n")],
    ...(Object.keys(metadata).length > 0
      ? [
        [`archive/${METADATA_ENTRY}`, text(JSON.stringify(metadata))] as const,
      ]
      : []),
  ]);
}

function pickle(
  tensors: readonly (StoredTensor & { name: string })[],
): Uint8Array {
  const out = new Pickler();
  const orderedDict = () =>
    out.global("collections", "OrderedDict").counts([]).reduce();
  orderedDict().mark();
  tensors.forEach(({ name, dtype, shape }, i) => {
    const storageClass = STORAGE_CLASSES[dtype];
    if (storageClass === undefined) {
      throw new GapcamError(
        "unsupported",
        `Cannot write tensor ${quote(name)} for PyTorch: its elements are ` +
          `${dtype}, expected one of ${
            Object.keys(STORAGE_CLASSES).join(", ")
          }`,
      );
    }
    const length = elementCount(shape);
    out.text(name);
    out.global("torch._utils", "_rebuild_tensor_v2").mark();
    // The storage: ("storage", type, file, device, elements).
    out.mark().text("storage").global("torch", storageClass)
      .text(String(i)).text("cpu").count(length).tuple().persistent();
    // First element, sizes, strides, requires_grad, hooks.
    out.count(0).counts(shape).counts(rowMajorStrides(shape)).false();
    orderedDict();
    out.tuple().reduce();
  });
  return out.setItems().finish();
}

function rowMajorStrides(shape: readonly number[]): number[] {
  return shape.map((_, i) =>
    shape.slice(i + 1).reduce((product, size) => product * Math.max(1, size), 1)
  );
}
