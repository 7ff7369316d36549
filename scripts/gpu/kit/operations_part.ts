/**
 * A part of the tests of operations: KIT_PART=2/6 is the second of six.
 *
 * cuDNN compiles plans for seconds on one core for every odd shape of a
 * convolution, so that the parts share these shapes; every other test is in one
 * part. Which part is counted, not named: a new test is in one as well.
 *
 * @module
 */

import type { Case } from "../../../tests/operations/_case.ts";
import { cases } from "../../../tests/operations/cases.ts";

const SHARED = "conv2d";

const [part, parts] = (Deno.env.get("KIT_PART") ?? "1/1").split("/")
  .map(Number) as [number, number];
const ours = (index: number) => index % parts === part - 1;

// The tests take what this array holds when they are registered.
let shapes = 0;
const kept = cases.filter(({ name }) =>
  name.split(" ")[0] !== SHARED || ours(shapes++)
);
(cases as Case[]).splice(0, Infinity, ...kept);

const hooks = Deno as { test: unknown };
const register = Deno.test;
let tests = 0;
hooks.test = (test: Deno.TestDefinition) => {
  // Two follow each other, of the CPU and the GPU: both in one part.
  if (test.name.includes(`: ${SHARED} `) || ours(tests++ >> 1)) register(test);
};
await import("../../../tests/device/operations_test.ts");
hooks.test = register;
