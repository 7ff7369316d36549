import type { FloatMap } from "../../image/float_map.ts";
import type { ImageOptions, Network } from "../../nn/network.ts";

/** A way to explain answers, as {@linkcode examine} takes it. */
export interface ExamMethod {
  /** What it is called. */
  readonly name: string;
  /**
   * Makes ready for a network and images of one size; called again for each
   * network with random weights.
   *
   * @throws {GapcamError} If the network is none that it can explain.
   */
  open(network: Network, options: ImageOptions): Promise<MapSource>;
}

/** A method that is ready; who opened it disposes of it. */
export interface MapSource extends Disposable {
  /**
   * Explains a batch.
   *
   * @param images 1 to `batchSize` images as u8 NHWC.
   * @param targets The class to explain of each.
   * @returns One map an image: the greater a value, the more speaks for the class.
   */
  maps(
    images: Uint8Array,
    targets: readonly number[],
  ): Promise<readonly FloatMap[]>;
}

/** A method and what it explains with. */
export interface OpenedMethod {
  readonly method: ExamMethod;
  readonly source: MapSource;
}
