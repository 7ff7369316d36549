import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { classActivationMap } from "../../src/cam/class_activation_map.ts";
import { proveMap } from "../../src/cam/prove_map.ts";
import { placeWeights, provePlace } from "../../src/cam/prove_place.ts";
import { rawMap } from "../../src/cam/raw_map.ts";
import { GapcamError } from "../../src/error.ts";
import { Random } from "../../src/random.ts";
import type { FloatMap } from "../../src/image/float_map.ts";

const CHANNELS = 12;
const CLASSES = 3;

/** Features of one image, a linear layer, and what a device makes of them. */
function imageOf(seed: number, height: number, width: number) {
  const random = new Random(seed);
  const next = () => random.nextUint32() / 2 ** 32;
  const area = height * width;
  // As behind a ReLU: many zeros.
  const features = {
    shape: [CHANNELS, height, width],
    data: Float32Array.from(
      { length: CHANNELS * area },
      () => Math.max(0, 2 * next() - 0.8),
    ),
  };
  const weight = {
    shape: [CLASSES, CHANNELS],
    data: Float32Array.from({ length: CLASSES * CHANNELS }, () => next() - 0.5),
  };
  const bias = [0.1, -0.2, 0.3];
  const places = placeWeights(height, width);
  const means = new Float32Array(CHANNELS);
  const placeSums = new Float32Array(CHANNELS);
  for (let k = 0; k < CHANNELS; k++) {
    for (let p = 0; p < area; p++) {
      const value = features.data[k * area + p]!;
      means[k]! += value / area;
      placeSums[k]! += places[p]! * value;
    }
  }
  const logits = bias.map((value, c) =>
    means.reduce(
      (sum, mean, k) => sum + weight.data[c * CHANNELS + k]! * mean,
      value,
    )
  );
  return { features, weight, bias, logits, placeSums };
}

/** A map whose places are taken from other places. */
function moved(
  map: FloatMap,
  from: (y: number, x: number) => readonly [number, number],
): FloatMap {
  const { height, width } = map;
  const data = map.data.map((_, i) => {
    const [y, x] = from(Math.floor(i / width), i % width);
    return map.data[y * width + x]!;
  });
  return { height, width, data };
}

const FAULTS: Record<string, (map: FloatMap) => FloatMap> = {
  transposed: (map) => moved(map, (y, x) => [x, y]),
  "mirrored left to right": (map) =>
    moved(map, (y, x) => [y, map.width - 1 - x]),
  "mirrored top to bottom": (map) =>
    moved(map, (y, x) => [map.height - 1 - y, x]),
  "turned by 180 degrees": (map) =>
    moved(map, (y, x) => [map.height - 1 - y, map.width - 1 - x]),
  "rolled by a column": (map) => moved(map, (y, x) => [y, (x + 1) % map.width]),
  "rolled by a row": (map) => moved(map, (y, x) => [(y + 1) % map.height, x]),
  "with two neighbours swapped": (map) => {
    // Of the first row the two that differ most.
    const difference = (x: number) => Math.abs(map.data[x]! - map.data[x + 1]!);
    let at = 0;
    for (let x = 1; x + 1 < map.width; x++) {
      if (difference(x) > difference(at)) at = x;
    }
    return moved(
      map,
      (y, x) =>
        y === 0 && (x === at || x === at + 1) ? [0, 2 * at + 1 - x] : [y, x],
    );
  },
  "with two far places swapped": (map) =>
    moved(
      map,
      (y, x) =>
        y === 1 && x === 2
          ? [map.height - 1, 0]
          : y === map.height - 1 && x === 0
          ? [1, 2]
          : [y, x],
    ),
  "read in blocks of two": (map) =>
    moved(map, (y, x) => {
      const half = Math.ceil(map.width / 2);
      return [
        y,
        x < half ? 2 * x : Math.min(2 * (x - half) + 1, map.width - 1),
      ];
    }),
  shuffled: (map) => {
    const data = map.data.slice();
    const random = new Random(5);
    for (let i = data.length - 1; i > 0; i--) {
      const j = random.nextUint32() % (i + 1);
      [data[i], data[j]] = [data[j]!, data[i]!];
    }
    return { ...map, data };
  },
};

for (const [name, fault] of Object.entries(FAULTS)) {
  Deno.test(`provePlace() refuses a map that is ${name}, whose sum is proved`, () => {
    for (const side of [4, 8, 14]) {
      for (let seed = 0; seed < 10; seed++) {
        const image = imageOf(seed, side, side);
        const map = rawMap(image.features, image.weight, 1);
        const row = image.weight.data.subarray(CHANNELS, 2 * CHANNELS);
        const device = { sums: image.placeSums, weights: row };
        assertLess(provePlace(map, device).residual, 1e-6);
        const wrong = fault(map);
        proveMap(wrong, image.bias[1]!, image.logits[1]!);
        assertThrows(
          () => provePlace(wrong, device),
          GapcamError,
          "Cannot prove the places of the map: found a weighted sum of",
        );
      }
    }
  });
}

Deno.test("placeWeights() are all different, sum to nothing and never change", () => {
  for (const [height, width] of [[1, 1], [1, 7], [8, 8], [14, 3], [56, 56]]) {
    const weights = placeWeights(height!, width!);
    assertEquals(weights.length, height! * width!);
    assertEquals(new Set(weights).size, weights.length);
    assert(weights.every((weight) => Math.abs(weight) < 1));
    assertLess(Math.abs(weights.reduce((a, b) => a + b, 0)), 1e-3);
  }
  assertEquals([...placeWeights(2, 3)], [...placeWeights(2, 3)]);
  assertEquals(
    Array.from(placeWeights(2, 2), (weight) => 4 * weight).sort((a, b) =>
      a - b
    ),
    [-3, -1, 1, 3],
  );
});

Deno.test("placeWeights() have no order of rows or columns, for any size of map", () => {
  for (let side = 2; side <= 32; side++) {
    const weights = placeWeights(side, side);
    const map = { height: side, width: side, data: weights };
    for (const [name, fault] of Object.entries(FAULTS)) {
      if (side < 3 && /far|blocks/.test(name)) continue;
      const other = fault(map).data;
      const differs = other.filter((weight, i) => weight !== weights[i]).length;
      assert(differs > 0, `${name} at ${side}`);
    }
  }
});

Deno.test("classActivationMap() proves sum and places where the device summed both", () => {
  const image = imageOf(3, 5, 6);
  for (let classIndex = 0; classIndex < CLASSES; classIndex++) {
    const { proof, place } = classActivationMap(image, { classIndex });
    assertLess(proof.residual, 1e-6);
    assertLess(place!.residual, 1e-6);
    assertEquals(place!.tolerance, 1e-4);
  }
  const { placeSums: _, ...without } = image;
  assertEquals(classActivationMap(without).place, undefined);
});

Deno.test("classActivationMap() finds features that were read in another layout", () => {
  const image = imageOf(4, 6, 6);
  const { data, shape } = image.features;
  // Each channel's plane column by column: all sums stay as they were.
  const transposed = data.map((_, i) => {
    const place = i % 36;
    return data[i - place + (place % 6) * 6 + Math.floor(place / 6)]!;
  });
  assertThrows(
    () =>
      classActivationMap({ ...image, features: { shape, data: transposed } }),
    GapcamError,
    "check the layout in which features are read",
  );
});

Deno.test("provePlace() does not depend on the unit of the features", () => {
  const { features, weight, placeSums } = imageOf(7, 4, 4);
  const map = rawMap(features, weight, 0);
  for (const unit of [1e-20, 1, 1e20]) {
    const scaled = { ...map, data: map.data.map((value) => value * unit) };
    const sums = placeSums.map((value) => value * unit);
    const weights = weight.data.subarray(0, CHANNELS);
    assertLess(provePlace(scaled, { sums, weights }).residual, 1e-6);
    assertThrows(
      () => provePlace(FAULTS.transposed!(scaled), { sums, weights }),
      GapcamError,
    );
  }
});

Deno.test("provePlace() accepts zeros, and refuses what is not finite or does not fit", () => {
  const map = { height: 1, width: 2, data: new Float32Array(2) };
  assertEquals(provePlace(map, { sums: [0], weights: [1] }).residual, 0);
  assertThrows(
    () => provePlace(map, { sums: [NaN], weights: [1] }),
    GapcamError,
    "Cannot prove the places of the map: found NaN",
  );
  assertThrows(
    () => provePlace(map, { sums: [1, 2], weights: [1] }),
    GapcamError,
    "found 2 sums over places for 1 weights",
  );
});
