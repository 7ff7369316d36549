import { adam, adamW, type Optimiser, sgd } from "../nn/optimiser.ts";

/** What updates the parameters, by name. */
export type OptimiserName = "adam" | "adamw" | "sgd" | "nesterov";

/** Every {@linkcode OptimiserName}. */
export const OPTIMISERS: readonly OptimiserName[] = [
  "adam",
  "adamw",
  "sgd",
  "nesterov",
];

/** The optimiser that a configuration names. */
export function optimiserOf(
  config: {
    optimiser: OptimiserName;
    learningRate: number;
    weightDecay: number;
    momentum: number;
  },
): Optimiser {
  const { learningRate, weightDecay, momentum } = config;
  switch (config.optimiser) {
    case "adam":
      return adam({ learningRate, weightDecay });
    case "adamw":
      return adamW({ learningRate, weightDecay });
    case "sgd":
      return sgd({ learningRate, weightDecay, momentum });
    case "nesterov":
      return sgd({ learningRate, weightDecay, momentum, nesterov: true });
  }
}
