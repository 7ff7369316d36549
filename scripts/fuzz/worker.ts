/**
 * Runs one target in a thread of its own, so that an endless loop can be seen
 * and ended from outside.
 *
 * @module
 */

import { type FuzzLimits, runTarget } from "./run_target.ts";
import { TARGETS } from "./targets.ts";

/** What the runner asks of a worker. */
export interface FuzzOrder extends Omit<FuzzLimits, "onInput"> {
  target: string;
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<FuzzOrder>) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = async ({ data: order }) => {
  const target = TARGETS.find(({ name }) => name === order.target)!;
  let told = 0;
  const report = await runTarget(target, {
    ...order,
    onInput: (index) => {
      const now = performance.now();
      // Not each input: a message costs more than most inputs.
      if (now - told < 200) return;
      told = now;
      scope.postMessage({ index });
    },
  });
  scope.postMessage({ report });
};
