import { prepareLayerMethod } from "../_layer_method.ts";
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
  prepare: (setup) =>
    prepareLayerMethod(setup, { rule: { made: "positive-products" } }),
};
