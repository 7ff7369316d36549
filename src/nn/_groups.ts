import type { Device } from "../device/device.ts";
import type { Tensor } from "../device/tensor.ts";
import { GapcamError } from "../error.ts";
import type { Parameter } from "./parameters.ts";

/** Parameters that learn at one rate and decay alike, and what updates them. */
export interface Group {
  factor: number;
  decays: boolean;
  parameters: Parameter[];
  first: Tensor[];
  second: Tensor[];
  settings: Tensor;
}

/**
 * The parameters that learn: those that no part of `freeze` names.
 *
 * @throws {GapcamError} If none is left.
 */
export function learningOf(
  parameters: readonly Parameter[],
  freeze: readonly string[],
): Parameter[] {
  const learning = parameters.filter(({ name, trainable }) =>
    trainable && !freeze.some((prefix) => isWithin(name, prefix))
  );
  if (learning.length > 0) return learning;
  const cause = freeze.length > 0
    ? `freezing ${freeze.join(", ")}`
    : "the model";
  throw new GapcamError(
    "invalid-argument",
    `Cannot train: ${cause} leaves no parameter that learns`,
  );
}

/** Sorts parameters by their rates and gives each its moments, which `stack` owns. */
export function groupsOf(
  learning: readonly Parameter[],
  options: {
    rates: readonly { prefix: string; factor: number }[];
    device: Device;
    stack: DisposableStack;
    moments: 1 | 2;
    weightDecayOn: "all" | "weights";
  },
): Group[] {
  const { device, stack } = options;
  for (const { prefix, factor } of options.rates) {
    if (Number.isFinite(factor) && factor >= 0) continue;
    throw new GapcamError(
      "invalid-argument",
      `Cannot train ${prefix} at ${factor} times the learning rate: ` +
        "expected a number from 0",
    );
  }
  const groups: Group[] = [];
  for (const parameter of learning) {
    const factor = options.rates.find(({ prefix }) =>
      isWithin(parameter.name, prefix)
    )?.factor ?? 1;
    const decays = options.weightDecayOn === "all" ||
      parameter.shape.length > 1;
    let group = groups.find((other) =>
      other.factor === factor && other.decays === decays
    );
    if (!group) {
      const settings = stack.use(device.tensor([8]));
      group = {
        ...{ factor, decays, settings },
        parameters: [],
        first: [],
        second: [],
      };
      groups.push(group);
    }
    group.parameters.push(parameter);
    group.first.push(stack.use(device.tensor(parameter.shape)));
    if (options.moments === 2) {
      group.second.push(stack.use(device.tensor(parameter.shape)));
    }
  }
  return groups;
}

/** The moments under PyTorch's names. */
export function* optimiserTensors(
  groups: readonly Group[],
): Iterable<[string, Tensor]> {
  for (const { parameters, first, second } of groups) {
    for (let i = 0; i < parameters.length; i++) {
      const { name } = parameters[i]!;
      const square = second[i];
      if (square) {
        yield [`${name}.exp_avg`, first[i]!];
        yield [`${name}.exp_avg_sq`, square];
      } else {
        yield [`${name}.momentum_buffer`, first[i]!];
      }
    }
  }
}

/** Whether a tensor is, or belongs to, what `prefix` names. */
export function isWithin(name: string, prefix: string): boolean {
  return name === prefix || name.startsWith(`${prefix}.`);
}

/** Throws if a prefix names nothing: it is misspelt then. */
export function assertKnown(
  parameters: readonly Parameter[],
  prefixes: readonly string[],
): void {
  for (const prefix of prefixes) {
    if (parameters.some(({ name }) => isWithin(name, prefix))) continue;
    throw new GapcamError(
      "not-found",
      `Cannot freeze or group ${JSON.stringify(prefix)}: no parameter is ` +
        `within it; the model has ${
          [...new Set(parameters.map(({ name }) => name.split(".")[0]))]
            .join(", ")
        }`,
    );
  }
}
