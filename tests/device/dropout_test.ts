/** Dropout: what it draws, the same on every device, and again after a step is repeated. */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertNotEquals,
  assertThrows,
} from "@std/assert";
import type { Device } from "../../src/device/device.ts";
import { openDevice } from "../../src/device/open_device.ts";
import { GapcamError } from "../../src/error.ts";
import { array64 } from "../operations/_case.ts";
import { dropout, philox } from "../operations/dropout.ts";
import { backendTest, deviceTest } from "./_devices.ts";
import { uniform } from "./_uniform.ts";

const SHAPES = [
  [1, 1, 1, 1],
  [3, 13, 5, 7],
  [2, 3, 4, 3],
  [2, 40, 1, 1],
  [5, 13],
  [11],
] as const;

Deno.test("the tests' Philox gives the words of its authors", () => {
  const word = (hex: string) => parseInt(hex, 16);
  for (
    const [counter, key, words] of [
      ["0 0 0 0", "0 0", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
      [
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
      ],
      [
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
      ],
    ] as const
  ) {
    assertEquals(
      philox(counter.split(" ").map(word), key.split(" ").map(word)),
      words.split(" ").map(word),
    );
  }
});

async function checkDraws(device: Device, bound: number): Promise<void> {
  for (const shape of SHAPES) {
    for (const probability of [0, 0.25, 0.5, 1]) {
      for (const wholeImages of [false, true]) {
        const data = uniform(shape, 1).map((x) => Math.round(128 * x) / 128);
        const given = uniform(shape, 2).map((x) => Math.round(128 * x) / 128);
        using input = device.tensor(shape, { data });
        using random = device.tensor([3], { type: "i32" });
        using program = device.program({ training: true, random });
        assert(!program.draws);
        const first = program.dropout(input, probability, { wholeImages });
        assert(program.draws);
        program.output(first);
        const second = program.output(program.dropout(input, 0.5));
        using outputGradient = device.tensor(shape, { data: given });
        const [gradient] = program.backward(first, [input], { outputGradient });
        await program.compile();
        for (const [seed, step] of [[0, 1], [0, 2], [-5, 1], [0, 1]] as const) {
          random.write(Int32Array.of(seed, step, 0));
          await program.run("forward", "backward");
          const what = `[${shape}], ${probability}, ${wholeImages}, ` +
            `seed ${seed}, step ${step}`;
          const draw = { seed, step };
          const array = array64(shape, data);
          const wanted = dropout(array, probability, {
            ...draw,
            layer: 0,
            wholeImages,
          });
          const compare = (actual: Float32Array, wanted: Float64Array) =>
            actual.forEach((x, i) =>
              assertAlmostEquals(x, wanted[i]!, bound, what)
            );
          compare(first.read(), wanted.output.data);
          const d = wanted.backward(Float64Array.from(given)).input;
          compare(gradient!.read(), d);
          // Where one keeps a value the other may not.
          const other = dropout(array, 0.5, { ...draw, layer: 1 });
          compare(second.read(), other.output.data);
        }
      }
    }
  }
}

deviceTest(
  "dropout is a function of seed, step, layer and element, forward and backward",
  (device) => checkDraws(device, 1e-6),
);

backendTest("cuda", "dropout drops the same of bf16 maps", async () => {
  using device = openDevice("cuda", { precision: "bf16" });
  await checkDraws(device, 1e-2);
});

deviceTest("dropout drops as much as it is asked to", async (device) => {
  const shape = [64, 16, 8, 8];
  using input = device.tensor(shape, {
    data: new Float32Array(65536).fill(1),
  });
  using random = device.tensor([3], { type: "i32" });
  using program = device.program({ training: true, random });
  const output = program.output(program.dropout(input, 0.3));
  await program.compile();
  const masks: string[] = [];
  for (const step of [1, 2]) {
    random.write(Int32Array.of(7, step, 0));
    await program.run("forward");
    const values = output.read();
    const dropped = values.filter((x) => x === 0).length / values.length;
    assertAlmostEquals(dropped, 0.3, 0.01);
    assertAlmostEquals(
      values.reduce((sum, x) => sum + x) / values.length,
      1,
      0.02,
    );
    masks.push(values.slice(0, 256).join());
  }
  assertNotEquals(masks[0], masks[1]);
});

deviceTest(
  "a map that a convolution made is dropped in the host's order",
  async (device) => {
    const shape = [2, 13, 4, 5];
    using input = device.tensor(shape, { data: uniform(shape, 1) });
    const unit = new Float32Array(169);
    for (let i = 0; i < 13; i++) unit[i * 14] = 1;
    using weight = device.tensor([13, 13, 1, 1], { data: unit });
    using random = device.tensor([3], { type: "i32" });
    random.write(Int32Array.of(3, 4, 0));
    using program = device.program({ training: true, random });
    const map = program.conv2d(input, weight);
    const output = program.output(program.dropout(map, 0.5));
    await program.compile();
    await program.run("forward");
    const wanted = dropout(array64(shape, input.read()), 0.5, {
      seed: 3,
      step: 4,
      layer: 0,
    }).output.data;
    output.read().forEach((x, i) => assertAlmostEquals(x, wanted[i]!, 1e-5));
  },
);

deviceTest("what is not a number is not dropped", async (device) => {
  using input = device.tensor([2, 3], { data: new Float32Array(6).fill(NaN) });
  using random = device.tensor([3], { type: "i32" });
  using program = device.program({ training: true, random });
  const output = program.output(program.dropout(input, 0.9));
  await program.compile();
  await program.run("forward");
  assert(output.read().every(Number.isNaN));
});

deviceTest(
  "dropout of a program that does not train is its input",
  (device) => {
    using input = device.tensor([2, 3]);
    using program = device.program();
    assertEquals(program.dropout(input, 0.5), input);
    assert(!program.draws);
  },
);

deviceTest("dropout refuses what it cannot draw by", (device) => {
  using input = device.tensor([2, 3]);
  using random = device.tensor([3], { type: "i32" });
  using wrong = device.tensor([2], { type: "i32" });
  for (
    const [options, probability, message] of [
      [{ training: true, random }, -0.1, "between 0 and 1, found -0.1"],
      [{ training: true, random }, 1.5, "between 0 and 1, found 1.5"],
      [{}, NaN, "between 0 and 1, found NaN"],
      [{ training: true }, 0.5, "trains and has nothing to draw by"],
      [{ training: true, random: wrong }, 0.5, "must have the shape [3]"],
      [{ training: true, random: input }, 0.5, "must be i32, found f32"],
    ] as const
  ) {
    using program = device.program(options);
    const error = assertThrows(
      () => program.dropout(input, probability),
      GapcamError,
      message,
    );
    assert(error.message.startsWith("Cannot add dropout: "));
    assert(!program.draws);
  }
});
