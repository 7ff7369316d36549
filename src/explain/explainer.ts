import { GapcamError } from "../error.ts";
import {
  type ClassActivationMap,
  classActivationMap,
  type ClassActivationMapInput,
} from "../cam/class_activation_map.ts";
import { topClasses } from "../cam/_wording.ts";
import { probabilitiesOf } from "../cam/probabilities_of.ts";
import { type PlaceProof, placeWeights } from "../cam/prove_place.ts";
import { rawMap } from "../cam/raw_map.ts";
import { headWeights } from "./_head_weights.ts";
import { InferenceProgram } from "../nn/inference_program.ts";
import type { ImageOptions, Network } from "../nn/network.ts";
import { elementCount, type HostTensor } from "../host_tensor.ts";
import { indexOfGreatest } from "../_index_of_greatest.ts";

const TOLERANCE = 1e-4;
const ROUNDED_TOLERANCE = 1e-2;

/** What a network makes of one image, and where it looked. */
export interface Explanation extends ClassActivationMap {
  /** Each place's value stands where the device computed it: the residual. */
  readonly place: PlaceProof;
  /** What the device computed for each class. */
  readonly logits: Float32Array;
  /** The class with the greatest logit; the map may explain another. */
  readonly predicted: number;
  /** A probability in `[0, 1]` for each class; see {@linkcode probabilitiesOf}. */
  readonly probabilities: Float32Array;
  /**
   * The maps of the likeliest classes, the likeliest first, each proved; left
   * out unless `top` asks for them.
   */
  readonly likeliest?: readonly ClassActivationMap[];
  /** The probability of the class that the map explains. */
  readonly probability: number;
  /**
   * The greatest absolute value of the predicted class's map, in units of the
   * logit: what the colours of another class's map should be measured by. Of a
   * contrast, its own.
   */
  readonly peak: number;
}

/** Options of {@linkcode Explainer.explain}. */
export interface ExplainOptions {
  /** The class to explain. Default: the predicted one of each image. */
  classIndex?: number;
  /**
   * A class whose map is subtracted: what speaks for the one rather than for the
   * other. Where it is the class to explain itself, that is the likeliest other.
   */
  against?: number;
  /** Of how many of the likeliest classes the map is wanted too, from 1. */
  top?: number;
  /** See {@linkcode probabilitiesOf}. Default: false. */
  eachClass?: boolean;
  /**
   * Greatest residual of a map's two proofs, of sum and places. Default: 1e-4;
   * for the sum 1e-2 where the device computes in tf32 or bf16, since the linear
   * layer may then round what it multiplies.
   */
  tolerance?: number;
}

/**
 * Computes class activation maps of a network that ends in global average
 * pooling and a linear layer, each proved twice against what the device
 * computed: its sum by the logit, its places by a weighted sum over them.
 *
 * @example Where does a network look?
 * ```ts
 * import { Explainer, Network, openDevice, shapesDataset, vgg } from "@gapcam/gapcam";
 *
 * using device = openDevice("cpu", { threads: 1 });
 * using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
 * const shapes = shapesDataset("test", { size: 16, length: 3 });
 * using explainer = await Explainer.create(network, {
 *   batchSize: 1, image: shapes,
 * });
 * const pixels = new Uint8Array(16 * 16 * 3);
 * await shapes.read([2], pixels);
 * const [explanation] = await explainer.explain(pixels);
 * if (explanation!.map.width !== 8) throw new Error("expected a map of 8 x 8");
 * const { proof, place } = explanation!;
 * if (Math.max(proof.residual, place.residual) > 1e-4) throw new Error();
 * ```
 */
export class Explainer implements Disposable {
  readonly #program: InferenceProgram;
  readonly #weight: HostTensor;
  readonly #bias: Float32Array;
  readonly #features: Float32Array;
  readonly #tolerance: number;

  private constructor(parts: {
    program: InferenceProgram;
    weight: HostTensor;
    bias: Float32Array;
    features: Float32Array;
    tolerance: number;
  }) {
    this.#program = parts.program;
    this.#weight = parts.weight;
    this.#bias = parts.bias;
    this.#features = parts.features;
    this.#tolerance = parts.tolerance;
  }

  /**
   * Compiles a network for images of one size.
   *
   * @param network A network whose last two layers are global average pooling
   * and linear, or that ends in global average pooling: there a class's own
   * channel is its map. Its parameters are taken as they are now.
   * @param options Batch size, image size, resizing and normalisation, the same
   * as while training.
   * @throws {GapcamError} If the network ends otherwise, or the images do not fit.
   */
  static async create(
    network: Network,
    options: ImageOptions,
  ): Promise<Explainer> {
    const { weight, bias } = headWeights(network);
    const program = await InferenceProgram.compile(network, {
      ...options,
      placeWeights,
    });
    const length = elementCount(program.featureShape!);
    return new Explainer({
      program,
      weight,
      bias,
      features: new Float32Array(length),
      tolerance: network.device.precision === "f32"
        ? TOLERANCE
        : ROUNDED_TOLERANCE,
    });
  }

  /** Images a batch. */
  get batchSize(): number {
    return this.#program.batchSize;
  }

  /**
   * Explains a batch.
   *
   * @param images 1 to `batchSize` images as u8 NHWC.
   * @param options Which class.
   * @returns One explanation an image.
   * @throws {GapcamError} If the number of bytes does not fit, there is no such
   * class, or a map's sum or its places are not proved.
   */
  async explain(
    images: Uint8Array,
    options: ExplainOptions = {},
  ): Promise<Explanation[]> {
    assertOptions(options, this.#program.classes);
    const all = await this.#program.run(images);
    const classes = this.#program.classes;
    const count = all.length / classes;
    const [, ...shape] = this.#program.featureShape!;
    const size = this.#features.length / this.batchSize;
    const features = this.#program.features(this.#features);
    const placeSums = this.#program.placeSums();
    const channels = this.#weight.shape[1]!;
    return Array.from({ length: count }, (_, i) =>
      this.#explainOne({
        features: {
          shape,
          data: features.subarray(i * size, (i + 1) * size),
        },
        weight: this.#weight,
        bias: this.#bias,
        logits: all.slice(i * classes, (i + 1) * classes),
        placeSums: placeSums.subarray(i * channels, (i + 1) * channels),
      }, options));
  }

  #explainOne(
    input: ClassActivationMapInput & { logits: Float32Array },
    { against, top, classIndex, tolerance, eachClass = false }: ExplainOptions,
  ): Explanation {
    const { logits } = input;
    const tolerances = {
      tolerance: tolerance ?? this.#tolerance,
      placeTolerance: tolerance ?? TOLERANCE,
    };
    const mapOf = (classIndex: number) =>
      classActivationMap(input, { classIndex, ...tolerances });
    const probabilities = probabilitiesOf(logits, { eachClass });
    const predicted = indexOfGreatest(logits);
    const ranked = topClasses(logits, Math.max(2, top ?? 0));
    const asked = classIndex ?? predicted;
    const explained = against === undefined
      ? mapOf(asked)
      : classActivationMap(input, {
        classIndex: asked === against
          ? ranked.find(({ index }) => index !== against)!.index
          : asked,
        against,
        ...tolerances,
      });
    const own = against !== undefined || predicted === asked;
    const measure = own
      ? explained.map
      : rawMap(input.features, this.#weight, predicted);
    return {
      ...explained,
      place: explained.place!,
      logits,
      predicted,
      probabilities,
      ...(top === undefined
        ? {}
        : { likeliest: ranked.slice(0, top).map(({ index }) => mapOf(index)) }),
      probability: probabilities[explained.classIndex]!,
      peak: measure.data.reduce((a, b) => Math.max(a, Math.abs(b)), 0),
    };
  }

  /** Frees the compiled network; the parameters stay. */
  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
  }
}

function assertOptions(
  { against, top, classIndex }: ExplainOptions,
  classes: number,
): void {
  const refuse = (found: string, expected: string): never => {
    throw new GapcamError(
      "invalid-argument",
      `Cannot explain images: found ${found}, expected ${expected}`,
    );
  };
  if (top !== undefined && !(Number.isSafeInteger(top) && top >= 1)) {
    refuse(`top ${top}`, "a whole number from 1");
  }
  if (against === undefined) return;
  if (!(Number.isInteger(against) && against >= 0 && against < classes)) {
    refuse(`class ${against} to compare with`, `0 to ${classes - 1}`);
  }
  if (classes < 2 || classIndex === against) {
    refuse(`class ${against} compared with itself`, "two classes");
  }
}
