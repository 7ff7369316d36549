import type { Tensor } from "../device/tensor.ts";
import type { TrainingMetrics } from "./training_options.ts";

/** The slots of a program's metrics, as `gapcam_metric` numbers them. */
type Slots = [number, number, number, number, number, number, number, number];

/** What a program counted; with `reset` it counts anew. */
export function readMetrics(
  metrics: Tensor,
  options: { reset?: boolean },
): TrainingMetrics {
  const [lossSum, steps, correct, images, largestLoss, notFinite, ...rest] =
    metrics.read() as unknown as Slots;
  const [lastLoss, stops] = rest;
  if (options.reset) metrics.write(new Float32Array(8));
  return {
    ...{ lossSum, steps, correct, images },
    ...{ largestLoss, notFinite, lastLoss, stops },
  };
}
