import { assert, assertAlmostEquals } from "@std/assert";
import type { Activation } from "../../src/device/activation.ts";
import { openTestDevice } from "./_test_device.ts";

const COUNT = 2 * 3 * 4 * 5;

/** Some numbers between -2 and 2. */
function numbers(count: number, seed: number): Float32Array {
  return Float32Array.from(
    { length: count },
    (_, i) => 2 * Math.sin(i * i + seed),
  );
}

/** A sum over what an activation makes of normalised values, and its gradient by the normalisation's bias. */
async function sumAndGradient(
  activation: Activation,
  bias: Float32Array,
): Promise<{ sum: number; gradient: Float32Array }> {
  using device = openTestDevice();
  using program = device.program({ training: true });
  const input = device.tensor([2, 3, 4, 5], { data: numbers(COUNT, 1) });
  const parameter = device.tensor([3], { data: bias });
  const made = program.activation(
    program.batchNorm2d(input, {
      weight: device.tensor([3], { data: numbers(3, 2) }),
      bias: parameter,
      runningMean: device.tensor([3]),
      runningVariance: device.tensor([3], { data: new Float32Array(3) }),
    }),
    activation,
  );
  const factors = numbers(COUNT, 3);
  const [gradient] = program.backward(made, [parameter], {
    outputGradient: device.tensor([2, 3, 4, 5], { data: factors }),
  });
  program.output(made);
  await program.compile();
  await program.run("forward", "backward");
  const values = made.read();
  return {
    sum: values.reduce((sum, value, i) => sum + value * factors[i]!, 0),
    gradient: Float32Array.from(gradient!.read()),
  };
}

Deno.test("a batch normalisation's gradient goes through whatever activation stands behind it", async () => {
  const activations: Activation[] = [
    { kind: "leakyRelu", negativeSlope: 0.2 },
    { kind: "clip", lower: 0, upper: 1 },
    ...(["sigmoid", "silu", "hardSigmoid", "hardSwish", "gelu"] as const)
      .map((kind) => ({ kind })),
  ];
  const bias = Float32Array.of(0.31, -0.23, 0.11);
  const step = 2 ** -12;
  for (const activation of activations) {
    const { gradient } = await sumAndGradient(activation, bias);
    for (const channel of bias.keys()) {
      const [above, below] = [step, -step].map((by) => {
        const moved = bias.slice();
        moved[channel]! += by;
        return sumAndGradient(activation, moved);
      });
      const difference = (await above!).sum - (await below!).sum;
      assertAlmostEquals(
        gradient[channel]!,
        difference / (2 * step),
        // Bends within a step of a value.
        0.05,
        activation.kind,
      );
    }
    assert(gradient.some((value) => Math.abs(value) > 0.1), activation.kind);
  }
});
