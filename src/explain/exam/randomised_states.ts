import type { StateDict } from "../../host_tensor.ts";
import type { Network } from "../../nn/network.ts";
import { initialise } from "../../nn/parameters.ts";

/** A network's weights, some of its last layers as before training. */
export interface RandomisedState {
  /** How many layers are random, counted from the last. */
  readonly layers: number;
  readonly state: StateDict;
}

/** Seeds from here on are nobody's first choice. */
const OTHER_SEEDS = 2 ** 31;

/**
 * The cascading randomisation of Adebayo et al., "Sanity Checks for Saliency
 * Maps", NeurIPS 2018 (section 4.1): from the top layer down, weights become what
 * they are before training. A map that stays what it was does not depend on what
 * the network learned.
 *
 * @param network A trained network.
 * @param options `stages`: how many states, the first with the head alone random,
 * the last with all; `seed`: of the random weights.
 */
export function* randomisedStates(
  network: Network,
  options: { stages: number; seed: number },
): Generator<RandomisedState, void, void> {
  const { stages, seed } = options;
  const trained = network.state();
  // Not the weights that training with the same seed began with.
  const random = initialise(network.model, OTHER_SEEDS + seed);
  const layerOf = (name: string) => name.slice(0, name.lastIndexOf("."));
  const layers = [...new Set([...trained.keys()].map(layerOf))].reverse();
  const counts = new Set(
    Array.from(
      { length: stages },
      (_, i) =>
        i === 0
          ? Math.min(1, layers.length)
          : Math.max(1, Math.round(i / (stages - 1) * layers.length)),
    ),
  );
  for (const count of counts) {
    const top = new Set(layers.slice(0, count));
    yield {
      layers: count,
      state: new Map(
        Array.from(trained, ([name, value]) => [
          name,
          top.has(layerOf(name)) ? random.get(name)! : value,
        ]),
      ),
    };
  }
}
