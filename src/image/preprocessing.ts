/** How pictures are resized: as Pillow's `BILINEAR` and `BICUBIC` do it. */
export type Interpolation = "bilinear" | "bicubic";

/** Every {@linkcode Interpolation}. */
export const INTERPOLATIONS: readonly Interpolation[] = ["bilinear", "bicubic"];

/**
 * What a network expects of photographs. It travels with the network: `training`
 * of a checkpoint holds it, and so does every export.
 */
export interface Preprocessing {
  /** Height and width of what the network looks at, in pixels. */
  readonly imageSize: number;
  /** Mean of each channel, or of all if it is one, of pixels in [0, 1]. */
  readonly mean: readonly number[];
  /** Standard deviation of each channel, or of all. */
  readonly deviation: readonly number[];
  /** How photographs are resized. Default: `bilinear`. */
  readonly interpolation?: Interpolation;
  /**
   * Share of a photograph's shorter side that is looked at, in (0, 1]: with
   * 0.875 a network for 224 pixels sees the middle of a picture of 256.
   * Default: 1.
   */
  readonly cropShare?: number;
}
