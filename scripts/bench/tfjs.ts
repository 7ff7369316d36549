/**
 * TensorFlow.js's side of `deno task bench`; see pytorch.py for the protocol.
 * Its WebAssembly backend has no gradient of a convolution, so training is
 * answered with the reason.
 *
 * The packages are imported by names that no tool can follow, and locked in a
 * file of their own: what deno.lock names, every command would download first.
 *
 * @module
 */

import { GapcamError } from "../../src/error.ts";
import type { BuildRequest, MeasureRequest } from "./gapcam.ts";
import { serve } from "./_protocol.ts";

/** What we use of a tensor. */
interface Tensor {
  data(): Promise<Float32Array>;
  dispose(): void;
}

/** What we use of TensorFlow.js. */
interface TensorFlow {
  version_core: string;
  setBackend(name: string): Promise<boolean>;
  tidy<Result>(body: () => Result): Result;
  randomUniform(shape: number[], low: number, high: number): Tensor;
  zeros(shape: number[]): Tensor;
  conv2d(map: Tensor, weight: Tensor, stride: number, padding: string): Tensor;
  maxPool(map: Tensor, size: number, stride: number, padding: string): Tensor;
  leakyRelu(map: Tensor, slope: number): Tensor;
  add(a: Tensor, b: Tensor): Tensor;
  mul(a: Tensor, b: Tensor): Tensor;
  mean(map: Tensor, axes: number[]): Tensor;
  sum(map: Tensor, axis: number): Tensor;
  matMul(a: Tensor, b: Tensor): Tensor;
  transpose(a: Tensor): Tensor;
  gather(a: Tensor, indices: Tensor): Tensor;
  argMax(a: Tensor, axis: number): Tensor;
  reshape(a: Tensor, shape: number[]): Tensor;
}

const VERSION = "4.22.0";
const CORE = `npm:@tensorflow/tfjs-core@${VERSION}`;
const BACKEND =
  `npm:@tensorflow/tfjs-backend-wasm@${VERSION}/dist/tf-backend-wasm.node.js`;
const tf: TensorFlow = await import(CORE);
await import(BACKEND);

class Bench {
  readonly #batch: number;
  readonly #images: Tensor;
  readonly #layers: ("M" | { weight: Tensor; bias: Tensor })[] = [];
  readonly #head: Tensor;

  constructor(request: BuildRequest) {
    const { batch, size, model } = request;
    if (typeof model === "string") {
      throw new GapcamError(
        "unsupported",
        `it is timed on trunks alone, and ${model} is none`,
      );
    }
    this.#batch = batch;
    this.#images = tf.randomUniform([batch, size, size, 3], -1, 1);
    let channels = 3;
    for (const step of model) {
      if (step === "M") {
        this.#layers.push("M");
        continue;
      }
      const bound = 1 / Math.sqrt(channels * 9);
      this.#layers.push({
        weight: tf.randomUniform([3, 3, channels, step], -bound, bound),
        bias: tf.zeros([step]),
      });
      channels = step;
    }
    this.#head = tf.randomUniform([channels, 10], -0.05, 0.05);
  }

  async measure(request: MeasureRequest) {
    if (request.measure === "train") {
      return { unavailable: "its WebAssembly backend has no Conv2D gradient" };
    }
    if (request.warmUp) await this.#step(request.measure);
    const start = performance.now();
    for (let i = 0; i < request.steps; i++) await this.#step(request.measure);
    return {
      seconds: (performance.now() - start) / 1000,
      images: request.steps * this.#batch,
    };
  }

  async #step(measure: "infer" | "cam"): Promise<void> {
    const result = tf.tidy(() => {
      let map: Tensor = this.#images;
      for (const layer of this.#layers) {
        map = layer === "M" ? tf.maxPool(map, 2, 2, "valid") : tf.leakyRelu(
          tf.add(tf.conv2d(map, layer.weight, 1, "same"), layer.bias),
          0.2,
        );
      }
      const logits = tf.matMul(tf.mean(map, [1, 2]), this.#head);
      if (measure === "infer") return logits;
      const weight = tf.gather(tf.transpose(this.#head), tf.argMax(logits, 1));
      return tf.sum(
        tf.mul(map, tf.reshape(weight, [this.#batch, 1, 1, -1])),
        3,
      );
    });
    await result.data();
    result.dispose();
  }
}

await tf.setBackend("wasm");
let bench: Bench | undefined;

await serve({ version: `${tf.version_core} (wasm)` }, (request) => {
  if ("model" in request) {
    bench = new Bench(request as unknown as BuildRequest);
    return { ready: true };
  }
  if (!bench) throw new Error("nothing was built");
  return bench.measure(request as unknown as MeasureRequest);
});
