import { assert, assertEquals, assertThrows } from "@std/assert";
import { classActivationMap } from "../../src/cam/class_activation_map.ts";
import { normaliseMap } from "../../src/cam/normalise_map.ts";
import { overlayCam } from "../../src/cam/overlay_cam.ts";
import { proveMap } from "../../src/cam/prove_map.ts";
import { rawMap } from "../../src/cam/raw_map.ts";
import { GapcamError } from "../../src/error.ts";
import {
  decodeReference,
  FIXTURES,
  floatsOf,
  largestDifference,
  reference,
} from "../image/_reference.ts";

const features = {
  shape: [2, 2, 2],
  data: Float32Array.of(1, 2, 3, 4, -1, 0, 1, 8),
};
const weight = { shape: [3, 2], data: Float32Array.of(1, 0, 2, -1, 0.5, 0.25) };
const bias = [0.5, -1, 0];
// Means of the channels are 2.5 and 2.
const logits = [3, 2, 1.75];

Deno.test("rawMap() is the weighted sum of the channels", () => {
  assertEquals(
    rawMap(features, weight, 1),
    { height: 2, width: 2, data: Float32Array.of(3, 4, 5, 0) },
  );
});

Deno.test("rawMap() rejects a class that is not there and shapes that do not fit", () => {
  for (const index of [-1, 3, 0.5, NaN]) {
    assertThrows(
      () => rawMap(features, weight, index),
      GapcamError,
      `Cannot map class: found class ${index}, expected 0 to 2`,
    );
  }
  assertThrows(
    () => rawMap(features, { shape: [2, 3], data: weight.data }, 0),
    GapcamError,
    "found weight [2,3] for features [2,2,2], expected 2 columns",
  );
  assertThrows(
    () => rawMap({ shape: [2, 2, 2], data: new Float32Array(7) }, weight, 0),
    GapcamError,
    "found features [2,2,2] with 7 values",
  );
});

Deno.test("proveMap() reports what it compared", () => {
  assertEquals(proveMap(rawMap(features, weight, 1), -1, 2.0001), {
    logit: 2.0001,
    reconstructed: 2,
    residual: (2.0001 - 2) / 4,
    tolerance: 1e-4,
  });
});

Deno.test("proveMap() does not depend on the unit of the features", () => {
  for (const unit of [1e-20, 1, 1e20]) {
    const map = { height: 1, width: 2, data: Float32Array.of(unit, 3 * unit) };
    assert(proveMap(map, 0, 2 * unit).residual < 1e-6);
    assertThrows(() => proveMap(map, 0, 2.001 * unit), GapcamError);
  }
});

Deno.test("proveMap() accepts a map and a logit of zeros", () => {
  const map = { height: 1, width: 1, data: new Float32Array(1) };
  assertEquals(proveMap(map, 0, 0).residual, 0);
});

Deno.test("proveMap() refuses another class's logit, and numbers that are not finite", () => {
  const map = rawMap(features, weight, 1);
  assertThrows(
    () => proveMap(map, -1, 3),
    GapcamError,
    "Cannot prove the sum of the map: found logit 3 but 2 from the map, a residual of 2.50e-1, expected at most 0.0001",
  );
  assertThrows(() => proveMap(map, -1, NaN), GapcamError, "finite");
  assertThrows(() => proveMap(map, Infinity, Infinity), GapcamError, "finite");
});

Deno.test("normaliseMap() says that a constant map is constant", () => {
  assertEquals(
    normaliseMap({ height: 1, width: 2, data: Float32Array.of(4, 4) }),
    {
      map: { height: 1, width: 2, data: Float32Array.of(0, 0) },
      minimum: 4,
      maximum: 4,
      constant: true,
    },
  );
});

Deno.test("normaliseMap() rejects values that are not finite", () => {
  for (const value of [NaN, Infinity, -Infinity]) {
    assertThrows(
      () =>
        normaliseMap({ height: 2, width: 1, data: Float32Array.of(0, value) }),
      GapcamError,
      `Cannot normalise map: found ${value} at row 1, column 0`,
    );
  }
});

Deno.test("classActivationMap() explains the largest logit", () => {
  const { classIndex, map, proof } = classActivationMap({
    features,
    weight,
    bias,
    logits,
  });
  assertEquals(classIndex, 0);
  assertEquals([...map.data], [1, 2, 3, 4]);
  assertEquals(proof.residual, 0);
});

Deno.test("classActivationMap() explains the class that is asked for", () => {
  const input = { features, weight, bias, logits };
  assertEquals(classActivationMap(input, { classIndex: 2 }).proof.logit, 1.75);
});

Deno.test("classActivationMap() refuses weights of another network", () => {
  const other = { shape: [3, 2], data: weight.data.toReversed() };
  assertThrows(
    () => classActivationMap({ features, weight: other, bias, logits }),
    GapcamError,
    "Cannot prove the sum of the map",
  );
  assertThrows(
    () => classActivationMap({ features, weight, bias, logits: [3, NaN, 1] }),
    GapcamError,
    "found logit NaN of class 1",
  );
  assertThrows(
    () => classActivationMap({ features, weight, bias: [0], logits }),
    GapcamError,
    "found 1 biases and 3 logits for weight [3,2], expected 3 of each",
  );
});

Deno.test("overlayCam() is within a level of scikit-image and matplotlib, and stays so to the bit", async () => {
  const { classIndex, features, weight } = reference.overlay;
  const map = rawMap(
    { shape: features.shape, data: floatsOf(features.data) },
    { shape: weight.shape, data: floatsOf(weight.data) },
    classIndex,
  );
  const read = async (name: string) =>
    await decodeReference(Deno.readFileSync(new URL(name, FIXTURES)));
  const image = await read("overlay_image.png");
  const expected = await read("overlay_expected.png");
  assertEquals([expected.height, expected.width], [224, 224]);
  const { data } = overlayCam(image, map);
  const difference = largestDifference(data, expected.data);
  assert(difference <= 1, `largest difference ${difference}`);
  const digest = await crypto.subtle.digest("SHA-256", Uint8Array.from(data));
  assertEquals(
    new Uint8Array(digest).toHex(),
    "ff22e83d26c1429fc6ae8078648125c25f32d1010694d0eedf01192b2c345830",
  );
});
