/**
 * TensorFlow.js's side of `deno task bench`; see pytorch.py for the protocol.
 * Its WebAssembly backend has no gradient of a convolution, so training is
 * answered with the reason.
 *
 * @module
 */

import "npm:@tensorflow/tfjs-backend-wasm@^4.22.0/dist/tf-backend-wasm.node.js";
import * as tf from "npm:@tensorflow/tfjs-core@^4.22.0";
import type { BuildRequest, MeasureRequest } from "./gapcam.ts";
import { serve } from "./_protocol.ts";

class Bench {
  readonly #batch: number;
  readonly #images: tf.Tensor4D;
  readonly #layers: ("M" | { weight: tf.Tensor4D; bias: tf.Tensor1D })[] = [];
  readonly #head: tf.Tensor2D;

  constructor(request: BuildRequest) {
    const { batch, size } = request;
    this.#batch = batch;
    this.#images = tf.randomUniform([batch, size, size, 3], -1, 1);
    let channels = 3;
    for (const step of request.model) {
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
      let map: tf.Tensor4D = this.#images;
      for (const layer of this.#layers) {
        map = layer === "M" ? tf.maxPool(map, 2, 2, "valid") : tf.leakyRelu(
          tf.add(tf.conv2d(map, layer.weight, 1, "same"), layer.bias),
          0.2,
        );
      }
      const logits = tf.matMul(tf.mean<tf.Tensor2D>(map, [1, 2]), this.#head);
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
