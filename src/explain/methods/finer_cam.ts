import { prepareLayerMethod } from "../_layer_method.ts";
import { GapcamError } from "../../error.ts";
import type { Method } from "../method.ts";
import { type LinearTarget, weightedSum } from "../target.ts";

/** With how many of the most similar classes one is compared. */
const REFERENCES = 3;

/**
 * Finer-CAM: Grad-CAM of what a class has more than those that the network can
 * hardly tell from it: `y_c - sum over d of u_d y_d`, where d are the three
 * classes of the nearest logits and `u_d` their shares of their probability. A
 * class to compare with takes their place.
 *
 * The shares say what is compared, and are numbers here; pytorch-grad-cam
 * differentiates them too, by which its map is of no sum of logits. So of the
 * last map of a network that ends in global average pooling and a linear layer
 * the map's total is the contrast without its biases: proved.
 */
export const finerCam: Method = {
  name: "finer-cam",
  title: "Finer-CAM",
  summary: "Grad-CAM of a class less the classes most like it",
  paper: "Zhang, Gu, Stevens, Chao, Su et al.: Finer-CAM: Spotting the " +
    "Difference Reveals Finer Details for Visual Explanation, CVPR 2025",
  looksAt: "layer",
  gradients: true,
  rectified: true,
  standing: "proved",
  claim: "the map adds up to the contrast of the logits without their biases",
  passes: "3",
  prepare: (setup) =>
    prepareLayerMethod(setup, {
      rule: { made: "channel-means" },
      total: "proved",
      choose: contrastOf,
    }),
};

/** The class less the ones most like it. */
function contrastOf(asked: LinearTarget, logits: Float32Array): LinearTarget {
  const { target } = asked;
  if (target.probability) {
    throw new GapcamError(
      "unsupported",
      "Cannot explain a probability with finer-cam: it compares logits; " +
        "explain the class",
    );
  }
  // Of two classes there is one other, and of one output its opposite.
  if (target.against !== undefined || logits.length === 1) return asked;
  const { classIndex } = target;
  const own = logits[classIndex]!;
  const nearest = Array.from(logits, (logit, index) => ({ logit, index }))
    .filter(({ index }) => index !== classIndex)
    .sort((a, b) => Math.abs(a.logit - own) - Math.abs(b.logit - own))
    .slice(0, REFERENCES);
  // Probabilities' shares are those of their logits' powers, which do not vanish.
  const greatest = Math.max(...nearest.map(({ logit }) => logit));
  const total = nearest.reduce(
    (sum, { logit }) => sum + Math.exp(logit - greatest),
    0,
  );
  const seed = new Float32Array(logits.length);
  seed[classIndex] = 1;
  for (const { logit, index } of nearest) {
    seed[index] = -Math.exp(logit - greatest) / total;
  }
  return weightedSum(target, seed);
}
