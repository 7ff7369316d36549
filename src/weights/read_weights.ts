import { GapcamError } from "../error.ts";
import { kindOf } from "./_file_kind.ts";
import { readBytes } from "./_read_bytes.ts";
import type { WeightsFit } from "./_state_dict_search.ts";
import { unwrapNames } from "./_wrappers.ts";
import { isPytorch, parsePytorch } from "./read_pytorch.ts";
import { isSafetensors, parseSafetensors } from "./read_safetensors.ts";
import type { StoredTensor } from "./stored_tensor.ts";

export type { WeightsFit };

/** What a file of weights holds, whatever its format. */
export interface WeightsFile {
  /** The format that its content has; its name does not count. */
  readonly format: "safetensors" | "pytorch";
  /** Texts by name; empty where the format has none. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Tensors by name, in the file's order. */
  readonly tensors: Map<string, StoredTensor>;
  /** What was left out or renamed, one sentence each. */
  readonly notes: string[];
}

/** Options of {@linkcode readWeights} and {@linkcode parseWeights}. */
export interface WeightsOptions {
  /**
   * Which of several state dicts is wanted: the one for which this is greatest.
   * Default: the one with most names of layers' tensors.
   */
  fit?: WeightsFit;
}

/**
 * Reads weights from a file's bytes: safetensors, or what `torch.save` wrote.
 *
 * @param bytes The whole file.
 * @param options `name`, what errors call the file; `fit`, which of several
 * state dicts is wanted.
 * @returns Tensors; names of wrappers such as `module.` are taken out of theirs.
 * @throws {GapcamError} If it is neither format (the message says what it is),
 * or as {@linkcode parseSafetensors} and {@linkcode parsePytorch}.
 *
 * @example Of two state dicts, the one that is wanted
 * ```ts
 * import { encodePytorch, parseWeights } from "@gapcam/gapcam/weights";
 *
 * const bias = { shape: [2], data: new Float32Array(2) };
 * const bytes = encodePytorch(new Map([["module.head.bias", bias]]));
 * const { format, tensors } = parseWeights(bytes, {
 *   fit: (shapes) => shapes.has("head.bias") ? 1 : 0,
 * });
 * if (format !== "pytorch" || !tensors.has("head.bias")) throw new Error();
 * ```
 */
export function parseWeights(
  bytes: Uint8Array,
  options: WeightsOptions & { name?: string } = {},
): WeightsFile {
  if (isPytorch(bytes)) {
    return { format: "pytorch", ...parsePytorch(bytes, options) };
  }
  if (!isSafetensors(bytes)) {
    throw new GapcamError(
      "bad-data",
      `Cannot read ${options.name ?? "weights"}: it is ${kindOf(bytes)}, ` +
        "expected safetensors or a file of torch.save",
    );
  }
  const { metadata, tensors } = parseSafetensors(bytes, options);
  // Our own names need no search, and a layer of ours may be called `module`.
  const renamed = "gapcam_version" in metadata
    ? { tensors, notes: [] }
    : unwrapNames(tensors);
  return { format: "safetensors", metadata, ...renamed };
}

/**
 * Reads weights from a file, whatever its name.
 *
 * @param path Path of the file.
 * @param options Which of several state dicts is wanted.
 * @returns The same as {@linkcode parseWeights}.
 * @throws {GapcamError} If there is no such file, or as {@linkcode parseWeights}.
 *
 * @example safetensors under another name
 * ```ts
 * import { readWeights, writeSafetensors } from "@gapcam/gapcam/weights";
 *
 * const path = await Deno.makeTempFile({ suffix: ".pth" });
 * await writeSafetensors(
 *   path,
 *   new Map([["bias", { shape: [1], data: new Float32Array(1) }]]),
 * );
 * const { format, tensors } = await readWeights(path);
 * if (format !== "safetensors" || !tensors.has("bias")) throw new Error();
 * await Deno.remove(path);
 * ```
 */
export async function readWeights(
  path: string,
  options: WeightsOptions = {},
): Promise<WeightsFile> {
  return parseWeights(await readBytes(path), { ...options, name: path });
}
