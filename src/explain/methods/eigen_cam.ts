import type { LayerValues } from "../_explain_program.ts";
import { prepareLayerMethod } from "../_layer_method.ts";
import type { Method } from "../method.ts";

/**
 * Eigen-CAM: the layer's values as a matrix A of places by channels, projected on
 * its first right singular vector: `M = A v_1`. It explains no class: whatever the
 * target, the map is the same. The sign, which no singular vector has, is that
 * which makes the map's total positive.
 *
 * pytorch-grad-cam subtracts each channel's mean over places first, which the
 * paper does not.
 */
export const eigenCam: Method = {
  name: "eigen-cam",
  title: "Eigen-CAM",
  summary: "the layer's first principal component, whatever the class",
  paper: "Muhammad, Yeasin: Eigen-CAM: Class Activation Map using Principal " +
    "Components, IJCNN 2020",
  looksAt: "layer",
  gradients: false,
  rectified: true,
  standing: "heuristic",
  passes: "1",
  prepare: (setup) =>
    prepareLayerMethod(setup, { rule: { weights: principalDirection } }),
};

const MOST_ROUNDS = 500;

/** The first right singular vector of places by channels, by power iteration. */
function principalDirection(
  { shape: [channels, height, width], data }: LayerValues,
): Float32Array {
  const area = height * width;
  let direction = new Float64Array(channels).fill(1 / Math.sqrt(channels));
  const projection = new Float64Array(area);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    projection.fill(0);
    for (let k = 0; k < channels; k++) {
      const v = direction[k]!;
      for (let i = 0, j = k * area; i < area; i++, j++) {
        projection[i]! += v * data[j]!;
      }
    }
    const next = new Float64Array(channels);
    let size = 0;
    for (let k = 0; k < channels; k++) {
      let sum = 0;
      for (let i = 0, j = k * area; i < area; i++, j++) {
        sum += projection[i]! * data[j]!;
      }
      next[k] = sum;
      size += sum * sum;
    }
    // All is zero, or the start stands at right angles to all.
    if (size === 0) break;
    let change = 0;
    for (let k = 0; k < channels; k++) {
      next[k]! /= Math.sqrt(size);
      change = Math.max(change, Math.abs(next[k]! - direction[k]!));
    }
    direction = next;
    if (change < 1e-9) break;
  }
  const total = projection.reduce((a, b) => a + b, 0);
  return Float32Array.from(direction, (v) => total < 0 ? -v : v);
}
