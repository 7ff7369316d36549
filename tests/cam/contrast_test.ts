import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  classActivationMap,
  type ClassActivationMapInput,
  placeWeights,
} from "../../src/cam/mod.ts";
import { GapcamError } from "../../src/error.ts";
import { Random } from "../../src/random.ts";

const HEIGHT = 4, WIDTH = 5, CHANNELS = 6, CLASSES = 3;

/** What a device would give for random features; `common` is in every class's weights. */
function answer(common = 0): ClassActivationMapInput & { logits: number[] } {
  const random = new Random(7, 0, 0);
  const draw = () => random.nextUint32() / 2 ** 31 - 1;
  const area = HEIGHT * WIDTH;
  const features = Float32Array.from({ length: CHANNELS * area }, draw);
  const shared = Float32Array.from({ length: CHANNELS }, () => common);
  const weight = Float32Array.from(
    { length: CLASSES * CHANNELS },
    (_, i) => shared[i % CHANNELS]! + draw(),
  );
  const bias = Float32Array.from({ length: CLASSES }, draw);
  const places = placeWeights(HEIGHT, WIDTH);
  const sums = Array.from({ length: CHANNELS }, (_, k) => {
    const plane = features.subarray(k * area, (k + 1) * area);
    return {
      mean: plane.reduce((a, b) => a + b, 0) / area,
      placed: plane.reduce((a, b, i) => a + b * places[i]!, 0),
    };
  });
  return {
    features: { shape: [CHANNELS, HEIGHT, WIDTH], data: features },
    weight: { shape: [CLASSES, CHANNELS], data: weight },
    bias,
    // In 32 bits, as a device has them.
    logits: Array.from(bias, (b, c) =>
      Math.fround(
        sums.reduce(
          (a, { mean }, k) => a + mean * weight[c * CHANNELS + k]!,
          b,
        ),
      )),
    placeSums: Float32Array.from(sums, ({ placed }) => placed),
  };
}

Deno.test("classActivationMap() against a class is the difference of the maps, and proves that of the logits", () => {
  const input = answer();
  const [one, other] = [2, 0].map((classIndex) =>
    classActivationMap(input, { classIndex })
  );
  const contrast = classActivationMap(input, { classIndex: 2, against: 0 });
  assertEquals([contrast.classIndex, contrast.against], [2, 0]);
  contrast.map.data.forEach((value, i) => {
    const difference = one!.map.data[i]! - other!.map.data[i]!;
    assert(Math.abs(value - difference) < 1e-5);
  });
  assertEquals(contrast.proof.logit, input.logits[2]! - input.logits[0]!);
  const mean = contrast.map.data.reduce((a, b) => a + b) / (HEIGHT * WIDTH);
  const biases = input.bias[2]! - input.bias[0]!;
  assert(Math.abs(mean + biases - contrast.proof.logit) < 1e-5);
  assert(contrast.proof.residual < 1e-6 && contrast.place!.residual < 1e-6);
  // The other way round it is the opposite.
  const back = classActivationMap(input, { classIndex: 0, against: 2 });
  back.map.data.forEach((value, i) =>
    assertEquals(value, -contrast.map.data[i]!)
  );
});

Deno.test("a contrast from wrong logits, of other weights or in other places is refused", () => {
  const input = answer();
  const options = { classIndex: 2, against: 0 };
  const logits = [input.logits[0]! + 0.1, ...input.logits.slice(1)];
  assertThrows(
    () => classActivationMap({ ...input, logits }, options),
    GapcamError,
    "Cannot prove the sum of the map",
  );
  const { data, shape } = input.weight;
  const weight = { shape, data: data.map((v, i) => i === 0 ? v + 0.5 : v) };
  assertThrows(
    () => classActivationMap({ ...input, weight }, options),
    GapcamError,
    "Cannot prove",
  );
  const mirrored = input.features.data.slice();
  for (let row = 0; row < CHANNELS * HEIGHT; row++) {
    mirrored.subarray(row * WIDTH, (row + 1) * WIDTH).reverse();
  }
  const features = { shape: input.features.shape, data: mirrored };
  assertThrows(
    () => classActivationMap({ ...input, features }, options),
    GapcamError,
    "Cannot prove the places of the map",
  );
});

Deno.test("a contrast of classes that are nearly the same is measured by what is subtracted", () => {
  // What both have is ten thousand times what tells them apart.
  const { proof, place } = classActivationMap(answer(1e4), {
    classIndex: 1,
    against: 0,
  });
  assert(proof.residual < 1e-6 && place!.residual < 1e-6);
});

Deno.test("a contrast takes two classes", () => {
  const input = answer();
  for (
    const [against, message] of [
      [2, "against itself"],
      [3, "found class 3"],
      [-1, "found class -1"],
    ] as const
  ) {
    assertThrows(
      () => classActivationMap(input, { classIndex: 2, against }),
      GapcamError,
      message,
    );
  }
});
