import { prepareLayerMethod } from "../_layer_method.ts";
import type { Method } from "../method.ts";

/**
 * HiRes-CAM: `M = sum over k of g_k A_k`, place by place, `g` the gradient of
 * the target by `A`; no place speaks for another's gradient.
 *
 * Of the last map of a network that ends in global average pooling and a linear
 * layer it is CAM's map over `h w`, which is checked as Grad-CAM's is.
 */
export const hiresCam: Method = {
  name: "hires-cam",
  title: "HiRes-CAM",
  summary: "a layer times its gradient, place by place, summed over channels",
  paper: "Draelos, Carin: Use HiResCAM instead of Grad-CAM for faithful " +
    "explanations of convolutional neural networks, arXiv:2011.08891, 2020",
  looksAt: "layer",
  gradients: true,
  rectified: true,
  standing: "checked",
  claim: "the map adds up to the logit without its bias",
  passes: "3",
  prepare: (setup) =>
    prepareLayerMethod(setup, {
      rule: { made: "products" },
      total: "checked",
    }),
};
