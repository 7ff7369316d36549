import { proveMap } from "../../cam/prove_map.ts";
import { provePlace } from "../../cam/prove_place.ts";
import { rawMap } from "../../cam/raw_map.ts";
import { GapcamError } from "../../error.ts";
import { ExplainProgram } from "../_explain_program.ts";
import { headWeights } from "../_head_weights.ts";
import { chosenOf } from "../_layer_method.ts";
import type { Method, MethodSetup, PreparedMethod } from "../method.ts";

/**
 * CAM: `M = sum over k of w_ck f_k`, `w` the linear layer that follows global
 * average pooling: the mean of the map and the class's bias are its logit, which
 * is proved.
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
  prepare,
};

async function prepare(
  { network, images, layers, tolerance }: MethodSetup,
): Promise<PreparedMethod> {
  const { weight, bias } = headWeights(network);
  const channels = weight.shape[1]!;
  const program = await ExplainProgram.compile(network, {
    ...images,
    source: "pixels",
    layers: layers.map(({ node }) => node),
  });
  return {
    batchSize: program.batchSize,
    async explain(pixels, choose) {
      const logits = await program.forward(pixels);
      program.readValues(0);
      const allSums = program.valueSums(0);
      const chosen = chosenOf(logits, program.outputs, { choose });
      const explanations = chosen.map(({ target, logits, seed }, i) => {
        if (!target.isLinear) {
          throw new GapcamError(
            "unsupported",
            "Cannot explain a probability with cam: its map adds up to " +
              "logits; explain the class, or choose grad-cam",
          );
        }
        const values = program.values(0, i);
        const sums = allSums.subarray(i * channels, (i + 1) * channels);
        const weights = new Float32Array(channels);
        const sizes = { sum: 0, place: 0 };
        let offset = 0;
        seed.forEach((v, j) => {
          if (v === 0) return;
          const row = weight.data.subarray(j * channels, (j + 1) * channels);
          const { data } = rawMap(values, weight, j);
          const mean = data.reduce((sum, value) => sum + Math.abs(value), 0) /
            data.length;
          sizes.sum += Math.abs(v) * (mean + Math.abs(bias[j]!));
          row.forEach((w, k) => {
            weights[k]! += v * w;
            sizes.place += Math.abs(v * w * sums[k]!);
          });
          offset += v * bias[j]!;
        });
        const map = rawMap(values, { shape: [1, channels], data: weights }, 0);
        const value = target.valueOf(logits);
        const { residual } = proveMap(map, offset, value, {
          tolerance,
          size: sizes.sum,
        });
        const place = provePlace(map, { sums, weights }, {
          tolerance,
          size: sizes.place,
        });
        return { map, value, standing: "proved" as const, residual, place };
      });
      return { logits, explanations };
    },
    [Symbol.dispose]: () => program[Symbol.dispose](),
  };
}
