import { GapcamError } from "../error.ts";
import { quote } from "../weights/_quote.ts";
import { kindOf } from "../weights/_file_kind.ts";
import { readBytes } from "../weights/_read_bytes.ts";
import { ELEMENT_BYTES, type StoredTensor } from "../weights/stored_tensor.ts";
import { type ImportedOnnx, importOnnx } from "./import_onnx.ts";
import { type OnnxFile, parseOnnx } from "./parse_onnx.ts";

/**
 * Reads a classifier from an ONNX file: its graph, its parameters, and what was
 * assumed. Operators of opset 9 and later that classifiers are made of are
 * known; weights may be in files beside it.
 *
 * @param path The file.
 * @param options `imageSize`: height and width of the images where the file
 * leaves them free. Default: 224.
 * @returns The network; `new Network(device, model, { state })` runs it.
 * @throws {GapcamError} If there is no such file, it is damaged, or an operator
 * is not supported; the message names all of them.
 *
 * @example There and back
 * ```ts
 * import { graphOf, initialise, readOnnx, vgg, writeOnnx } from "@gapcam/gapcam";
 *
 * const model = vgg([4, "M", 8], { classes: 2 });
 * const path = await Deno.makeTempFile({ suffix: ".onnx" });
 * await writeOnnx(path, model, initialise(model, 0));
 * const { model: again } = await readOnnx(path, { imageSize: 16 });
 * if (again.nodes.length !== graphOf(model).nodes.length) throw new Error();
 * await Deno.remove(path);
 * ```
 */
export async function readOnnx(
  path: string,
  options: { imageSize?: number } = {},
): Promise<ImportedOnnx> {
  const bytes = await readBytes(path);
  try {
    const kind = kindOf(bytes);
    if (kind !== ONNX && kind !== UNKNOWN) {
      throw new GapcamError("bad-data", `it is ${kind}, expected ${ONNX}`);
    }
    const file = parseOnnx(bytes);
    return importOnnx(file, await weightsOf(file, path), options);
  } catch (error) {
    if (!(error instanceof GapcamError)) throw error;
    throw new GapcamError(
      error.code,
      `Cannot read ${path}: ${error.message}`,
      { cause: error },
    );
  }
}

/** What {@linkcode kindOf} says of such a file, and of one that it does not know. */
const ONNX = "an ONNX file", UNKNOWN = "no weights file";

/** The initialisers, those in other files read. */
async function weightsOf(
  file: OnnxFile,
  path: string,
): Promise<Map<string, StoredTensor>> {
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const files = new Map<string, Uint8Array>();
  const weights = new Map<string, StoredTensor>();
  for (const [name, tensor] of file.initializers) {
    if (!("external" in tensor)) {
      weights.set(name, tensor);
      continue;
    }
    const { dtype, shape, external } = tensor;
    const { location, offset } = external;
    assertBeside(location, name);
    let bytes = files.get(location);
    if (!bytes) {
      assertWithin(path, { location, name });
      bytes = await readBytes(`${folder}${location}`);
      files.set(location, bytes);
    }
    const length = shape.reduce(
      (product, size) => product * size,
      ELEMENT_BYTES[dtype],
    );
    if (
      !Number.isSafeInteger(offset) || offset < 0 ||
      (external.length !== undefined && external.length !== length) ||
      offset + length > bytes.length
    ) {
      throw new GapcamError(
        "bad-data",
        `tensor ${quote(name)} is said to be bytes ${offset} to ` +
          `${offset + length} of ${quote(location)}, which has ${bytes.length}`,
      );
    }
    weights.set(name, {
      dtype,
      shape,
      bytes: bytes.subarray(offset, offset + length),
    });
  }
  return weights;
}

/**
 * Refuses a link out of the folder of the ONNX file. Where that is a link itself,
 * as in a cache, its data may be links to the same place.
 */
function assertWithin(
  path: string,
  { location, name }: { location: string; name: string },
): void {
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  let real: string, allowed: string[];
  try {
    real = Deno.realPathSync(`${folder}${location}`);
    const file = Deno.realPathSync(path);
    allowed = [
      `${Deno.realPathSync(folder || ".")}/`,
      file.slice(0, file.lastIndexOf("/") + 1),
    ];
  } catch {
    // It is not there, which reading it tells better.
    return;
  }
  if (allowed.some((one) => real.startsWith(one))) return;
  throw outside(location, name);
}

/** Refuses a file that is not in the folder of the ONNX file or below it. */
function assertBeside(location: string, name: string): void {
  const parts = location.split(/[\\/]/);
  if (location !== "" && !parts.includes("..") && parts[0] !== "") return;
  throw outside(location, name);
}

function outside(location: string, name: string): GapcamError {
  return new GapcamError(
    "bad-data",
    `tensor ${quote(name)} is said to be in ${quote(location)}, which is not ` +
      "in the folder of the file",
  );
}
