/**
 * gapcam's side of `deno task bench`; see pytorch.py for the protocol, which is
 * the same but for `{"measure": "operations"}`: the steps of the program that was
 * timed last, with the time of each; and `{"measure": "export", "path": FILE}`:
 * writes the network as ONNX.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import {
  adam,
  type Batch,
  BatchLoader,
  Explainer,
  GapcamError,
  InferenceProgram,
  Network,
  openDevice,
  TrainingProgram,
  vgg,
  writeOnnx,
} from "../../mod.ts";
import { normaliseMap } from "../../src/cam/normalise_map.ts";
import { MODELS } from "../../src/models/find_model.ts";
import { resizeMap } from "../../src/image/resize_map.ts";
import { Random } from "../../src/random.ts";
import { MemoryDataset } from "../../src/data/_memory_dataset.ts";
import { serve } from "./_protocol.ts";

/** What is to be built; the same for every worker. */
export interface BuildRequest {
  /** A trunk, as of `vgg`, or the name of a published network. */
  model: readonly (number | "M")[] | string;
  /** What the head tells apart. Default: 10. */
  classes?: number;
  /** Height and width of the images. */
  size: number;
  /** Images a step. */
  batch: number;
  /** CPU threads. */
  threads: number;
  /** gapcam: device and precision. */
  device?: "cpu" | "cuda";
  /** gapcam: which of several GPUs. */
  deviceIndex?: number;
  /** See {@linkcode openDevice}. */
  precision?: "f32" | "tf32" | "bf16";
  /**
   * gapcam: whether to time each operation. Default: on the CPU, where it costs
   * nothing; a GPU would wait after each.
   */
  profile?: boolean;
}

/** What is to be timed. */
export interface MeasureRequest {
  /** A training step, a forward pass, or a forward pass with its maps. */
  measure: "train" | "infer" | "cam";
  /** How often. */
  steps: number;
  /** Whether to run once before. */
  warmUp?: boolean;
  /**
   * Training: whether every step has other images, shuffled, flipped and
   * cropped by a loader, rather than the same ones again.
   */
  fed?: boolean;
}

/** Of one batch; a data set of four such is held as well. */
const MOST_IMAGE_BYTES = 2 ** 28;

class Bench implements Disposable {
  readonly #stack = new DisposableStack();
  readonly #request: BuildRequest;
  readonly #network: Network;
  readonly #images: Uint8Array;
  readonly #labels: Int32Array;
  #training: TrainingProgram | undefined;
  #inference: InferenceProgram | undefined;
  #explainer: Explainer | undefined;
  #batches: AsyncGenerator<Batch, void, void> | undefined;

  constructor(request: BuildRequest) {
    this.#request = request;
    const { batch, size } = request;
    const bytes = batch * size * size * 3;
    if (bytes > MOST_IMAGE_BYTES) {
      throw new GapcamError(
        "out-of-memory",
        `Cannot time a batch of ${batch} images of ${size} x ${size}: they take ` +
          `${bytes} bytes, at most ${MOST_IMAGE_BYTES} are held; ask for less ` +
          "with --batch-size or --image-size",
      );
    }
    const device = this.#stack.use(
      openDevice(request.device ?? "cpu", {
        index: request.deviceIndex ?? 0,
        threads: request.threads,
        precision: request.precision ?? "f32",
      }),
    );
    const { model: chosen, classes = 10 } = request;
    const model = typeof chosen === "string"
      ? MODELS[chosen]!.build({ classes })
      : vgg(chosen, { classes });
    this.#network = this.#stack.use(new Network(device, model, { seed: 0 }));
    const random = new Random(1);
    this.#images = Uint8Array.from(
      { length: batch * size * size * 3 },
      () => random.nextUint32() >>> 24,
    );
    this.#labels = Int32Array.from({ length: batch }, (_, i) => i % 10);
  }

  async measure(request: MeasureRequest) {
    await this.#prepare(request.measure);
    if (request.warmUp) await this.#step(request);
    const start = performance.now();
    for (let i = 0; i < request.steps; i++) await this.#step(request);
    // Waits for the last step where steps are asynchronous.
    this.#training?.metrics();
    return {
      seconds: (performance.now() - start) / 1000,
      images: request.steps * this.#request.batch,
    };
  }

  /** Writes the network for runtimes that read ONNX. */
  async export(path: string): Promise<{ path: string }> {
    await writeOnnx(path, this.#network.model, this.#network.state());
    return { path };
  }

  operations() {
    const program = this.#training ?? this.#inference;
    return program?.describe() ?? { bytes: 0, steps: [] };
  }

  async #prepare(measure: MeasureRequest["measure"]): Promise<void> {
    const { batch, size } = this.#request;
    const options = {
      batchSize: batch,
      image: { height: size, width: size, channels: 3 },
    };
    // One program at a time in memory, as in the other workers.
    if (measure !== "train") {
      this.#training?.[Symbol.dispose]();
      this.#training = undefined;
    }
    if (measure !== "infer") {
      this.#inference?.[Symbol.dispose]();
      this.#inference = undefined;
    }
    if (measure !== "cam") {
      this.#explainer?.[Symbol.dispose]();
      this.#explainer = undefined;
    }
    if (measure === "train") {
      this.#training ??= await TrainingProgram.compile(this.#network, {
        ...options,
        optimiser: adam({ learningRate: 1e-5 }),
        profile: this.#request.profile ?? this.#request.device !== "cuda",
      });
    } else if (measure === "cam") {
      this.#explainer ??= await Explainer.create(this.#network, options);
    } else {
      this.#inference ??= await InferenceProgram.compile(this.#network, {
        ...options,
        profile: this.#request.profile ?? this.#request.device !== "cuda",
      });
    }
  }

  async #step({ measure, fed }: MeasureRequest): Promise<void> {
    if (measure === "train") {
      const { images, labels } = fed ? await this.#nextBatch() : {
        images: this.#images,
        labels: this.#labels,
      };
      await this.#training!.step(images, labels);
      return;
    }
    if (measure === "infer") {
      await this.#inference!.run(this.#images);
      return;
    }
    const { size } = this.#request;
    for (const { map } of await this.#explainer!.explain(this.#images)) {
      resizeMap(normaliseMap(map).map, size, size);
    }
  }

  async #nextBatch(): Promise<Batch> {
    this.#batches ??= endlessBatches(this.#request);
    const { value } = await this.#batches.next();
    return value!;
  }

  [Symbol.dispose](): void {
    this.#training?.[Symbol.dispose]();
    this.#inference?.[Symbol.dispose]();
    this.#explainer?.[Symbol.dispose]();
    this.#stack.dispose();
  }
}

/** What a loader makes of random images that are in memory, for ever. */
async function* endlessBatches(
  { batch, size }: BuildRequest,
): AsyncGenerator<Batch, void, void> {
  const length = 4 * batch;
  const random = new Random(2);
  const pixels = Uint8Array.from(
    { length: length * size * size * 3 },
    () => random.nextUint32() >>> 24,
  );
  const labels = Int32Array.from({ length }, (_, i) => i % 10);
  const dataset = new MemoryDataset(pixels, labels, {
    name: "noise",
    split: "train",
    classes: Array.from({ length: 10 }, (_, i) => `${i}`),
    height: size,
    width: size,
    channels: 3,
  });
  const loader = new BatchLoader(dataset, {
    batchSize: batch,
    shuffle: true,
    augmentation: { horizontalFlip: true, randomCrop: 4 },
  });
  for (let epoch = 0;; epoch++) yield* loader.epoch(epoch);
}

let bench: Bench | undefined;

await serve({ version: "gapcam" }, (request) => {
  if ("model" in request) {
    bench?.[Symbol.dispose]();
    bench = new Bench(request as unknown as BuildRequest);
    return { ready: true };
  }
  if (request.measure === "memory") return { peakBytes: peakBytes() };
  if (!bench) throw new Error("nothing was built");
  if (request.measure === "export") return bench.export(String(request.path));
  return request.measure === "operations"
    ? bench.operations()
    : bench.measure(request as unknown as MeasureRequest);
});

/** The process's peak resident size, as the kernel counts it. */
function peakBytes(): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}
