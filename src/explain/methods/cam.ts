import { GapcamError } from "../../error.ts";
import { prepareLayerMethod } from "../_layer_method.ts";
import type { Method } from "../method.ts";
import type { LinearTarget } from "../target.ts";

/**
 * CAM: `M = sum over k of w_ck f_k`, `w` the linear layer that follows global
 * average pooling: the mean of the map and the class's bias are its logit, which
 * is proved.
 *
 * The gradient of the logit by `f_k` is `w_ck` over the number of places: the device
 * multiplies by it, and needs a backward pass through the head alone.
 */
export const cam: Method = {
  name: "cam",
  title: "CAM",
  summary:
    "the last map's channels, each weighed as the linear layer weighs it",
  paper:
    "Zhou, Khosla, Lapedriza, Oliva, Torralba: Learning Deep Features for " +
    "Discriminative Localization, CVPR 2016",
  looksAt: "last map",
  gradients: false,
  rectified: false,
  standing: "proved",
  claim: "the mean of the map and the bias are the logit",
  passes: "1",
  prepare: (setup) =>
    prepareLayerMethod(setup, {
      rule: { made: "products", timesPlaces: true },
      total: "proved",
      choose: logitOnly,
    }),
};

/** Of a probability the map adds up to nothing. */
function logitOnly(asked: LinearTarget): LinearTarget {
  if (asked.isLinear) return asked;
  throw new GapcamError(
    "unsupported",
    "Cannot explain a probability with cam: its map adds up to logits; explain " +
      "the class, or choose grad-cam",
  );
}
