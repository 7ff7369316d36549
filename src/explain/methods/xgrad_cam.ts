import { prepareLayerMethod } from "../_layer_method.ts";
import type { Method } from "../method.ts";

/**
 * XGrad-CAM: `M = sum over k of a_k A_k` with `a_k = sum over places of g A_k,
 * over the sum over places of A_k` (equation 8), 0 where a channel is zero
 * everywhere: so the map's total is that of `g A`, as near to the target's value
 * as the network is to linear.
 *
 * Of the last map of a network that ends in global average pooling and a linear
 * layer it is CAM's map over `h w`, which is checked as Grad-CAM's is.
 */
export const xgradCam: Method = {
  name: "xgrad-cam",
  title: "XGrad-CAM",
  summary: "as Grad-CAM, the gradients' means weighed by the layer's values",
  paper: "Fu, Hu, Dong, Guo, Gao, Li: Axiom-based Grad-CAM: Towards Accurate " +
    "Visualization and Explanation of CNNs, BMVC 2020",
  looksAt: "layer",
  gradients: true,
  rectified: true,
  standing: "checked",
  claim: "the map adds up to the logit without its bias",
  passes: "3",
  prepare: (setup) =>
    prepareLayerMethod(setup, {
      rule: { made: "channel-ratios" },
      total: "checked",
    }),
};
