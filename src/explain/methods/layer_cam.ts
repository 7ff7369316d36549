import { type LayerView, prepareLayerMethod } from "../_layer_method.ts";
import type { FloatMap } from "../../image/float_map.ts";
import type { Method } from "../method.ts";

/**
 * Layer-CAM: `M = sum over k of ReLU(g_k) A_k`, place by place, `g` the gradient
 * of the target by `A`; its paper shows `ReLU(M)`. Made for early layers too,
 * where a mean gradient says little.
 */
export const layerCam: Method = {
  name: "layer-cam",
  title: "Layer-CAM",
  summary: "a layer times its positive gradient, place by place",
  paper:
    "Jiang, Zhang, Hou, Cheng, Wei: LayerCAM: Exploring Hierarchical Class " +
    "Activation Maps for Localization, IEEE Transactions on Image Processing 2021",
  looksAt: "layer",
  gradients: true,
  rectified: true,
  standing: "heuristic",
  passes: "3",
  prepare: (setup) => prepareLayerMethod(setup, { rule: { map: layerMap } }),
};

function layerMap({ values, gradients }: LayerView): FloatMap {
  const [channels, height, width] = values.shape;
  const area = height * width;
  const sums = new Float64Array(area);
  for (let k = 0; k < channels; k++) {
    for (let i = 0, j = k * area; i < area; i++, j++) {
      const gradient = gradients!.data[j]!;
      if (gradient > 0) sums[i]! += gradient * values.data[j]!;
    }
  }
  return { height, width, data: Float32Array.from(sums) };
}
