import {
  MethodExplainer,
  type MethodName,
  type MethodOptions,
  type Network,
  shapesDataset,
  type Target,
} from "../../mod.ts";

/** Images of 32 x 32, and the pixels of two of them. */
export const SHAPES = shapesDataset("test", { size: 32, length: 12 });
export const PIXELS = new Uint8Array(2 * 32 * 32 * 3);
await SHAPES.read([1, 2], PIXELS);

/** Explains the two images and frees all. */
export async function explain(
  network: Network,
  method: MethodName,
  options: Partial<MethodOptions> & { target?: Target | number } = {},
) {
  const { target, ...rest } = options;
  using explainer = await MethodExplainer.create(network, {
    method,
    batchSize: 2,
    image: SHAPES,
    ...rest,
  });
  return await explainer.explain(PIXELS, target);
}
