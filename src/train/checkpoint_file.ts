import { exists } from "../_files.ts";
import { GapcamError } from "../error.ts";
import { kindOf } from "../weights/_file_kind.ts";
import { readBytes } from "../weights/_read_bytes.ts";
import { parseSafetensorsHeader } from "../weights/_safetensors_header.ts";
import { isPytorch } from "../weights/read_pytorch.ts";
import {
  isSafetensors,
  parseSafetensors,
  SAFETENSORS_HEADER_LIMIT,
} from "../weights/read_safetensors.ts";
import { toStateDict } from "../weights/stored_tensor.ts";
import { writeSafetensors } from "../weights/write_safetensors.ts";
import {
  type Checkpoint,
  checkpointMetadata,
  checkpointTensors,
  checkVersion,
  OPTIMISER_PREFIX,
  parseCheckpoint,
} from "./checkpoint.ts";

/**
 * Saves a checkpoint as one safetensors file, beside the final name and then
 * renamed: an earlier checkpoint stays until the new one is whole.
 *
 * @throws {GapcamError} If the file cannot be written.
 */
export async function writeCheckpoint(
  path: string,
  checkpoint: Checkpoint,
): Promise<void> {
  try {
    await writeSafetensors(
      path,
      checkpointTensors(checkpoint),
      checkpointMetadata(checkpoint),
    );
  } catch (error) {
    if (!(error instanceof GapcamError)) throw error;
    const kept = exists(path)
      ? "; the checkpoint that is there stays as it was"
      : "";
    throw new GapcamError(
      error.code,
      `Cannot save the checkpoint: ${error.message}${kept}`,
      { cause: error },
    );
  }
}

/**
 * Whether a file is the checkpoint of a run that began: one that has the
 * optimiser's tensors or steps behind it, as imported weights have not. Only
 * its header is read.
 */
export async function describesRun(path: string): Promise<boolean> {
  try {
    if (!(await Deno.stat(path)).isFile) return false;
    using file = await Deno.open(path, { read: true });
    const length = new DataView((await readExactly(file, 8)).buffer)
      .getBigUint64(0, true);
    if (length > BigInt(SAFETENSORS_HEADER_LIMIT)) return false;
    const { metadata, entries } = parseSafetensorsHeader(
      new TextDecoder().decode(await readExactly(file, Number(length))),
    );
    if (metadata.gapcam_version === undefined) return false;
    return entries.some(({ name }) => name.startsWith(OPTIMISER_PREFIX)) ||
      JSON.parse(metadata.progress ?? "{}").step !== 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return false;
  }
}

async function readExactly(
  file: Deno.FsFile,
  length: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.min(length, (await file.stat()).size));
  for (let done = 0; done < bytes.length;) {
    done += await file.read(bytes.subarray(done)) ?? bytes.length;
  }
  return bytes;
}

/**
 * Loads a checkpoint.
 *
 * @param path The file.
 * @param options `optimiser`: whether to read the optimiser's tensors, which
 * only going on with training needs. Default: false; of a run that averages its
 * weights the parameters are then the averages.
 * @throws {GapcamError} If the file is missing, damaged, no checkpoint, or one
 * of another version.
 *
 * @example Saving and loading
 * ```ts
 * import { initialise, readCheckpoint, writeCheckpoint, trainingConfig, vgg } from "@gapcam/gapcam";
 *
 * const folder = await Deno.makeTempDir();
 * const model = vgg([4, "M", 8], { classes: 2 });
 * const none = { lossSum: 0, steps: 0, correct: 0, images: 0 };
 * await writeCheckpoint(`${folder}/checkpoint.safetensors`, {
 *   modelName: "custom",
 *   model,
 *   classes: ["cat", "dog"],
 *   dataset: { name: "pets" },
 *   training: trainingConfig(),
 *   progress: {
 *     epoch: 0, batch: 0, step: 0, epochTotals: none, intervalTotals: none,
 *   },
 *   parameters: initialise(model, 0),
 *   optimiserState: new Map(),
 * });
 * const loaded = await readCheckpoint(`${folder}/checkpoint.safetensors`);
 * if (loaded.classes.join() !== "cat,dog") throw new Error("unexpected");
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function readCheckpoint(
  path: string,
  options: { optimiser?: boolean } = {},
): Promise<Checkpoint> {
  const bytes = await readBytes(path);
  if (!isSafetensors(bytes)) {
    throw new GapcamError(
      "bad-data",
      `Cannot load checkpoint ${path}: it is ${
        isPytorch(bytes) ? "a file of PyTorch's" : kindOf(bytes)
      }, expected one that gapcam wrote`,
    );
  }
  const { tensors, metadata } = parseSafetensors(bytes, { name: path });
  try {
    // First: what is no checkpoint may have tensors that nothing converts.
    checkVersion(metadata);
    if (!options.optimiser) {
      for (const name of tensors.keys()) {
        if (name.startsWith(OPTIMISER_PREFIX)) tensors.delete(name);
      }
    }
    const { averages, ...checkpoint } = parseCheckpoint(
      toStateDict(tensors),
      metadata,
    );
    if (options.optimiser) {
      return averages ? { ...checkpoint, averages } : checkpoint;
    }
    return { ...checkpoint, parameters: averages ?? checkpoint.parameters };
  } catch (error) {
    if (!(error instanceof GapcamError)) throw error;
    throw new GapcamError(
      error.code,
      `Cannot load checkpoint ${path}: ${error.message}`,
      { cause: error },
    );
  }
}
