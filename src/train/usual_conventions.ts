import { perChannel } from "../nn/_per_channel.ts";
import type { VggNaming } from "../models/recognise_vgg.ts";
import type { Interpolation } from "../image/preprocessing.ts";

/** What the network that weights belong to expects, beside its layers. */
export interface WeightConventions {
  /** Slope of the leaky ReLU; 0 is ReLU. */
  negativeSlope: number;
  /** Mean of each channel, of pixels scaled to [0, 1]. */
  mean: number[];
  /** Standard deviation of each channel. */
  deviation: number[];
  /** How photographs are resized; bilinear if left out. */
  interpolation?: Interpolation;
  /** Share of a photograph's shorter side that is looked at; 1 if left out. */
  cropShare?: number;
}

/**
 * What a network of unknown origin most likely expects, by how it names its
 * layers: torchvision's plain ReLU and ImageNet's mean and deviation, or a slope
 * of 0.2 and 0.5 for both, as gapcam and the notebook have it.
 *
 * @param naming What {@linkcode recogniseVgg} and {@linkcode mapVggWeights} say.
 * @param channels Channels of the images.
 *
 * @example
 * ```ts
 * import { usualConventions } from "./usual_conventions.ts";
 *
 * if (usualConventions("notebook", 3).negativeSlope !== 0.2) throw new Error();
 * ```
 */
export function usualConventions(
  naming: VggNaming,
  channels: number,
): WeightConventions {
  const own = naming === "notebook" || naming === "gapcam";
  if (!own && channels === 3) {
    return {
      negativeSlope: 0,
      mean: [0.485, 0.456, 0.406],
      deviation: [0.229, 0.224, 0.225],
    };
  }
  const half = perChannel([0.5], channels);
  return { negativeSlope: own ? 0.2 : 0, mean: half, deviation: half };
}
