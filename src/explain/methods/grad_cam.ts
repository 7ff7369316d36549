import { prepareLayerMethod } from "../_layer_method.ts";
import type { Method } from "../method.ts";

/**
 * Grad-CAM: `M = sum over k of a_k A_k`, where `a_k` is the mean over places of
 * the gradient of the target by `A_k`; its paper shows `ReLU(M)`.
 *
 * Of the last map of a network that ends in global average pooling and a linear
 * layer the gradient is `w_k / (h w)` everywhere, and the map is CAM's over
 * `h w`: its total is the logit without its bias, which is checked.
 */
export const gradCam: Method = {
  name: "grad-cam",
  title: "Grad-CAM",
  summary: "a layer's channels, each weighed by the mean of its gradient",
  paper:
    "Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra: Grad-CAM: Visual " +
    "Explanations from Deep Networks via Gradient-based Localization, ICCV 2017",
  looksAt: "layer",
  gradients: true,
  rectified: true,
  standing: "checked",
  claim: "the map adds up to the logit without its bias",
  passes: "3",
  prepare: (setup) =>
    prepareLayerMethod(setup, {
      rule: { made: "channel-means" },
      total: "checked",
    }),
};
