import { prepareLayerMethod } from "../_layer_method.ts";
import type { Method } from "../method.ts";

/**
 * Grad-CAM++: `M = sum over k of a_k A_k` with `a_k = sum over places of
 * alpha ReLU(g)` and `alpha = g^2 / (2 g^2 + g^3 sum over places of A_k)`
 * (equation 19), 0 where that divides by 0. Its paper shows `ReLU(M)`.
 *
 * The paper explains `exp(target)`: each gradient is then `exp(target) g`, which
 * multiplies the whole map by one positive number, left out here, and `g^2` cancels.
 * pytorch-grad-cam adds 1e-6 to the denominator: gradients by maps of many places
 * are much smaller than 1e-3, so that its weights are others than the paper's.
 */
export const gradCamPlusPlus: Method = {
  name: "grad-cam++",
  title: "Grad-CAM++",
  summary: "as Grad-CAM, of positive gradients weighed by their higher orders",
  paper: "Chattopadhay, Sarkar, Howlader, Balasubramanian: Grad-CAM++: " +
    "Generalized Gradient-based Visual Explanations for Deep Convolutional " +
    "Networks, WACV 2018",
  looksAt: "layer",
  gradients: true,
  rectified: true,
  standing: "heuristic",
  passes: "3",
  prepare: (setup) =>
    prepareLayerMethod(setup, { rule: { made: "channel-orders" } }),
};
