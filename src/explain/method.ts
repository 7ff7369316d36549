import type { PlaceProof } from "../cam/prove_place.ts";
import type { FloatMap } from "../image/float_map.ts";
import type { ImageOptions, Network } from "../nn/network.ts";
import type { MapLayer } from "./_layer_named.ts";
import type { LinearTarget, Target } from "./target.ts";

/** Names of the methods, as the command and {@linkcode MethodExplainer} take them. */
export type MethodName =
  | "cam"
  | "grad-cam"
  | "grad-cam++"
  | "hires-cam"
  | "xgrad-cam"
  | "layer-cam"
  | "eigen-cam"
  | "score-cam"
  | "ablation-cam"
  | "finer-cam"
  | "integrated-gradients"
  | "smoothgrad"
  | "occlusion";

/**
 * What stands behind a map. `proved`: its sum is the number that it explains.
 * `checked`: an identity that must hold, holds. `heuristic`: nothing but how it
 * fares in an exam.
 */
export type Standing = "proved" | "checked" | "heuristic";

/** What is known of a method before it is used. */
export interface MethodFacts {
  /** By which it is chosen. */
  readonly name: MethodName;
  /** As its paper writes it. */
  readonly title: string;
  /** What its map is, in one line. */
  readonly summary: string;
  /** Authors, title, venue. */
  readonly paper: string;
  /**
   * Where it may look: at the map before the head alone, at any layer's map, or
   * at the image's pixels.
   */
  readonly looksAt: "last map" | "layer" | "pixels";
  /** Whether it computes gradients. */
  readonly gradients: boolean;
  /**
   * Whether its paper shows the positive part of the map alone. The raw map keeps
   * its negative values.
   */
  readonly rectified: boolean;
  /** The best standing that its maps can have. */
  readonly standing: Standing;
  /** What is proved or checked, in words; undefined for a heuristic. */
  readonly claim?: string;
  /** About how many forward passes (a backward one is two) an image takes, of K channels. */
  readonly passes: string;
}

/** A map, what it explains and what stands behind it. */
export interface MethodExplanation {
  /** Which method made it. */
  readonly method: MethodName;
  /** Names of the layers whose maps were used; none where it is the pixels. */
  readonly layers: readonly string[];
  /**
   * The raw map: neither scaled nor rectified. As large as the layer's map, and
   * of the pixels as large as what the network sees or as the steps taken over
   * it; of several layers the mean of their rectified maps, each over its
   * greatest value.
   */
  readonly map: FloatMap;
  /** What the map explains. */
  readonly target: Target;
  /** The number that the map explains, of the network's answer to the image. */
  readonly value: number;
  /** What stands behind the map. */
  readonly standing: Standing;
  /** How far the identity is from holding; undefined for a heuristic. */
  readonly residual?: number;
  /**
   * Each value of what the map was made of stands where the device computed it:
   * the greatest residual.
   */
  readonly place: PlaceProof;
  /**
   * Set where nothing speaks for the target: all of the map is `zero`, or not
   * one value is above zero (`negative`).
   */
  readonly empty?: "zero" | "negative";
  /** A sentence about this map, such as why it is no proof. */
  readonly note?: string;
  /** What the device computed, one number an output of the network. */
  readonly logits: Float32Array;
  /** The class with the greatest logit. */
  readonly predicted: number;
  /** The probability of each class. */
  readonly probabilities: Float32Array;
}

/** What a method makes of one image. */
export interface RawExplanation {
  readonly map: FloatMap;
  /** What it explains, where the method chose it itself. */
  readonly value: number;
  readonly standing: Standing;
  readonly residual?: number;
  readonly place: PlaceProof;
  readonly note?: string;
}

/** Chooses what is explained, once the logits of an image are known. */
export type ChooseTarget = (
  logits: Float32Array,
  image: number,
) => LinearTarget;

/** A method that is compiled for a network and images of one size. */
export interface PreparedMethod extends Disposable {
  /** Images a call, at most. */
  readonly batchSize: number;
  /**
   * Explains a batch.
   *
   * @param pixels 1 to `batchSize` images as u8 NHWC.
   */
  explain(
    pixels: Uint8Array,
    choose: ChooseTarget,
  ): Promise<{ logits: Float32Array; explanations: RawExplanation[] }>;
}

/** Numbers that some methods take. */
export interface MethodSettings {
  /**
   * Images that methods which look often run at a time: Score-CAM's and
   * occlusion's masks, Ablation-CAM's channels, integrated gradients' steps.
   * Default: 16.
   */
  lookBatch?: number;
  /**
   * Integrated gradients: how many steps. Default: 16, doubled until the sum is
   * proved, at most 1024.
   */
  steps?: number;
  /** SmoothGrad: how many noisy copies. Default: 32. */
  samples?: number;
  /**
   * SmoothGrad: the noise's standard deviation as a share of the image's range.
   * Default: 0.15.
   */
  noise?: number;
  /** SmoothGrad: what its noise is drawn by. Default: 0. */
  seed?: number;
  /** Occlusion: cells along a side; the square covers two by two. Default: 14. */
  grid?: number;
}

/** What a method is compiled for. */
export interface MethodSetup {
  readonly network: Network;
  readonly images: ImageOptions;
  /** The layers whose maps are wanted; none for methods that look at pixels. */
  readonly layers: readonly MapLayer[];
  /** Greatest residual of a sum, and of places. */
  readonly tolerance: number;
  readonly settings: Required<Omit<MethodSettings, "steps">> & {
    readonly steps: number | undefined;
  };
}

/** A method: what is known of it, and how it is compiled. */
export interface Method extends MethodFacts {
  /** Compiles the programs that it runs. */
  prepare(setup: MethodSetup): Promise<PreparedMethod>;
}
