import {
  MethodExplainer,
  type MethodName,
  type MethodOptions,
  type Network,
  shapesDataset,
  type Target,
} from "../../mod.ts";
import { Tensor, type TensorData } from "../../src/device/tensor.ts";

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

/** The shapes of the tensors that are read and written meanwhile. */
export async function transfersOf(
  action: () => Promise<unknown>,
): Promise<{ reads: string[]; writes: string[] }> {
  const { read, write } = Tensor.prototype;
  const [reads, writes]: string[][] = [[], []];
  Tensor.prototype.read = function <Data extends TensorData>(
    this: Tensor,
    target?: Data,
  ): Data {
    reads!.push(this.shape.join(" x "));
    return read.call(this, target) as Data;
  };
  Tensor.prototype.write = function (data) {
    writes!.push(this.shape.join(" x "));
    write.call(this, data);
  };
  try {
    await action();
  } finally {
    Object.assign(Tensor.prototype, { read, write });
  }
  return { reads: reads!, writes: writes! };
}
