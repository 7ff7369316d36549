import { GapcamError } from "../error.ts";
import type { Symbols } from "./_symbols.ts";
import type { Tensor } from "./tensor.ts";

/** Options of {@linkcode Program.crossEntropy} and {@linkcode Program.binaryCrossEntropy}. */
export interface LossOptions {
  /** Share of a target that is spread, from 0 to 1. Default: 0. */
  labelSmoothing?: number;
  /** A factor for each class, f32 [classes]. Default: ones. */
  weights?: Tensor;
  /** An f32 [8] tensor to count in. Default: none. */
  metrics?: Tensor;
}

/** Losses as `gapcam_loss` numbers them. */
export const LOSSES = { crossEntropy: 0, binaryCrossEntropy: 1 } as const;

/** @ignore Records a loss; labels are classes (i32) or targets (f32). */
export function recordLoss(
  kind: keyof typeof LOSSES,
  options: LossOptions & { logits: Tensor; labels: Tensor },
  [symbols, program, output, message]: [
    Symbols,
    bigint,
    BigUint64Array<ArrayBuffer>,
    Uint8Array<ArrayBuffer>,
  ],
): number {
  const { logits, labels } = options;
  const isTargets = labels.type === "f32";
  if (kind === "binaryCrossEntropy" && !isTargets) {
    throw new GapcamError(
      "invalid-argument",
      "Cannot add binary_cross_entropy: its targets must be f32, found " +
        labels.type,
    );
  }
  return symbols.gapcam_program_loss(
    program,
    LOSSES[kind],
    logits.handle,
    isTargets ? 0n : labels.handle,
    isTargets ? labels.handle : 0n,
    options.weights?.handle ?? 0n,
    options.labelSmoothing ?? 0,
    options.metrics?.handle ?? 0n,
    output,
    message,
  );
}
