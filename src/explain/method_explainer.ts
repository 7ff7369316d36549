import { GapcamError } from "../error.ts";
import { classifierOf } from "../nn/classifier_of.ts";
import type { ImageOptions, Network } from "../nn/network.ts";
import { shapedNodes } from "../nn/record.ts";
import { lastMapLayer, layerNamed, type MapLayer } from "./_layer_named.ts";
import type {
  MethodExplanation,
  MethodFacts,
  MethodName,
  MethodSettings,
  PreparedMethod,
} from "./method.ts";
import { methodNamed } from "./methods.ts";
import {
  assertTarget,
  classesOf,
  classProbabilities,
  type OutputMeaning,
  predictedOf,
  type TargetChoice,
  targetOf,
} from "./target.ts";

const TOLERANCE = 1e-4;
const ROUNDED_TOLERANCE = 1e-2;

/** Options of {@linkcode MethodExplainer.create}. */
export interface MethodOptions
  extends ImageOptions, MethodSettings, OutputMeaning {
  /** The method. */
  method: MethodName;
  /**
   * Names of the layers whose maps are used: a layer's, or a group's for its last
   * map, such as `layer4`. Default: the last map before the head.
   */
  layer?: string | readonly string[];
  /**
   * Greatest residual of sums and places. Default: 1e-4; 1e-2 where the device
   * computes in tf32 or bf16.
   */
  tolerance?: number;
}

/**
 * Explains a network's answers with one of many methods, each explanation with
 * what stands behind it.
 *
 * @example Grad-CAM of a network's last map, checked against the logit
 * ```ts
 * import { MethodExplainer, Network, openDevice, shapesDataset, vgg } from "@gapcam/gapcam";
 *
 * using device = openDevice("cpu", { threads: 1 });
 * using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
 * const shapes = shapesDataset("test", { size: 16, length: 3 });
 * using explainer = await MethodExplainer.create(network, {
 *   method: "grad-cam", batchSize: 1, image: shapes,
 * });
 * const pixels = new Uint8Array(16 * 16 * 3);
 * await shapes.read([2], pixels);
 * const [explanation] = await explainer.explain(pixels);
 * if (explanation!.standing !== "checked") throw new Error();
 * if (!(explanation!.residual! < 1e-4)) throw new Error();
 * ```
 */
export class MethodExplainer implements Disposable {
  readonly #prepared: PreparedMethod;
  readonly #layers: readonly MapLayer[];
  readonly #outputs: number;
  readonly #meaning: OutputMeaning;
  /** What is known of the method. */
  readonly method: MethodFacts;

  private constructor(parts: {
    prepared: PreparedMethod;
    layers: readonly MapLayer[];
    outputs: number;
    meaning: OutputMeaning;
    method: MethodFacts;
  }) {
    this.#prepared = parts.prepared;
    this.#layers = parts.layers;
    this.#outputs = parts.outputs;
    this.#meaning = parts.meaning;
    this.method = parts.method;
  }

  /**
   * Compiles a network and a method for images of one size.
   *
   * @param network Any network. Its parameters are taken as they are now.
   * @param options The method, its layers and numbers, and the images.
   * @throws {GapcamError} If there is no such method or layer, the method cannot
   * explain the network or the layer, or the images do not fit.
   */
  static async create(
    network: Network,
    options: MethodOptions,
  ): Promise<MethodExplainer> {
    const method = methodNamed(options.method);
    const nodes = shapedNodes(network, options);
    const { graph } = network;
    const asked = options.layer === undefined
      ? undefined
      : typeof options.layer === "string"
      ? [options.layer]
      : options.layer;
    if (asked && method.looksAt !== "layer") {
      throw new GapcamError(
        "invalid-argument",
        `Cannot explain layer ${asked.join(", ")} with ${method.name}: it ` +
          `looks at the ${
            method.looksAt === "pixels" ? "image's pixels" : "last map"
          } alone; leave the layer out, or choose grad-cam`,
      );
    }
    if (method.looksAt === "last map" && !classifierOf(graph)) {
      throw new GapcamError(
        "unsupported",
        `Cannot explain the network with ${method.name}: it does not end in ` +
          "global average pooling and at most one linear layer; choose " +
          "grad-cam, which explains any network",
      );
    }
    const layers = method.looksAt === "pixels"
      ? []
      : (asked?.map((name) => layerNamed(name, { graph, nodes })) ??
        [lastMapLayer(graph, nodes)]);
    const { lookBatch, steps, samples, noise, seed, grid, ...images } = options;
    const prepared = await method.prepare({
      network,
      images,
      layers,
      tolerance: options.tolerance ??
        (network.device.precision === "f32" ? TOLERANCE : ROUNDED_TOLERANCE),
      settings: {
        lookBatch: lookBatch ?? 16,
        steps,
        samples: samples ?? 32,
        noise: noise ?? 0.15,
        seed: seed ?? 0,
        grid: grid ?? 14,
      },
    });
    const [outputs] = nodes[graph.output]!.outputShape;
    return new MethodExplainer({
      prepared,
      layers,
      outputs: outputs!,
      meaning: { eachClass: options.eachClass ?? false },
      method,
    });
  }

  /** Images a batch. */
  get batchSize(): number {
    return this.#prepared.batchSize;
  }

  /** Names of the layers whose maps are used. */
  get layers(): readonly string[] {
    return this.#layers.map(({ name }) => name);
  }

  /**
   * Explains a batch.
   *
   * @param images 1 to `batchSize` images as u8 NHWC.
   * @param targets What to explain: a class, or a {@linkcode TargetChoice}; of all
   * images, or one each. Default: each image's answer.
   * @returns One explanation an image.
   * @throws {GapcamError} If the number of bytes does not fit, there is no such
   * class, or what must hold does not.
   */
  async explain(
    images: Uint8Array,
    targets?:
      | number
      | TargetChoice
      | readonly (number | TargetChoice | undefined)[],
  ): Promise<MethodExplanation[]> {
    const of = (image: number) => isList(targets) ? targets[image] : targets;
    // Before anything is computed.
    for (const target of isList(targets) ? targets : [targets]) {
      if (target === undefined) continue;
      assertTarget(
        typeof target === "number" ? { classIndex: target } : target,
        classesOf(this.#outputs, this.#meaning),
      );
    }
    const { logits, explanations } = await this.#prepared.explain(
      images,
      (own, image) => targetOf(of(image), own, this.#meaning),
    );
    return explanations.map((raw, i): MethodExplanation => {
      const own = logits.slice(i * this.#outputs, (i + 1) * this.#outputs);
      const { target } = targetOf(of(i), own, this.#meaning);
      const empty = emptyOf(raw.map.data);
      return {
        method: this.method.name,
        layers: this.layers,
        ...raw,
        target,
        ...(empty ? { empty } : {}),
        logits: own,
        predicted: predictedOf(own, this.#meaning),
        probabilities: classProbabilities(own, this.#meaning),
      };
    });
  }

  /** Frees what was compiled; the parameters stay. */
  [Symbol.dispose](): void {
    this.#prepared[Symbol.dispose]();
  }
}

function isList(
  targets:
    | number
    | TargetChoice
    | readonly (number | TargetChoice | undefined)[]
    | undefined,
): targets is readonly (number | TargetChoice | undefined)[] {
  return Array.isArray(targets);
}

/** Why nothing of a map can be painted. */
function emptyOf(values: Float32Array): "zero" | "negative" | undefined {
  if (values.some((value) => value > 0)) return undefined;
  return values.some((value) => value < 0) ? "negative" : "zero";
}
