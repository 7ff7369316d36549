import { assert, assertEquals, assertThrows } from "@std/assert";
import { encodeNpy } from "../../src/cam/encode_npy.ts";
import { evidenceOverlay } from "../../src/cam/evidence_overlay.ts";
import { evidenceScale } from "../../src/cam/evidence_scale.ts";
import { overlayCam } from "../../src/cam/overlay_cam.ts";
import { GapcamError } from "../../src/error.ts";
import { colormap } from "../../src/image/colormap.ts";
import type { FloatMap } from "../../src/image/float_map.ts";
import type { Image } from "../../src/image/image.ts";

function mapOf(...values: number[]): FloatMap {
  return { height: 1, width: values.length, data: Float32Array.from(values) };
}

function grey(width: number, level = 100): Image {
  const data = new Uint8Array(width).fill(level);
  return { height: 1, width, channels: 1, data };
}

function greatest(image: Image): number {
  return image.data.reduce((a, b) => Math.max(a, b));
}

Deno.test("evidenceScale() begins at zero and ends at the greatest absolute value", () => {
  const { first, last, flat } = evidenceScale(mapOf(-11.1, 0.86));
  assertEquals([first, last, flat], [0, Math.fround(11.1), false]);
  const signed = evidenceScale(mapOf(-2, 5), { signed: true });
  assertEquals([signed.first, signed.last], [-5, 5]);
});

Deno.test("evidenceScale() takes the scale of a stronger map, and of one unit at least", () => {
  assertEquals(evidenceScale(mapOf(0, 2), { peak: 40 }).last, 40);
  assertEquals(evidenceScale(mapOf(0, 50), { peak: 40 }).last, 50);
  assertEquals(evidenceScale(mapOf(0, 1e-3)).last, 1);
  assertThrows(() => evidenceScale(mapOf(0), { peak: -1 }), GapcamError);
  assertThrows(() => evidenceScale(mapOf(NaN)), GapcamError, "found NaN");
});

Deno.test("evidenceScale() says that a map is about the same everywhere", () => {
  assert(evidenceScale(mapOf(7, 7)).flat);
  assert(evidenceScale(mapOf(7, 7.3)).flat);
  assert(evidenceScale(mapOf(0, 0)).flat);
  assert(!evidenceScale(mapOf(7, 8)).flat);
  assert(!evidenceScale(mapOf(0, 1e-3)).flat);
});

Deno.test("evidenceOverlay() lets no map glow that holds next to no evidence", () => {
  const image = grey(3);
  const own = overlayCam(image, mapOf(-11, -5, 0.86), { colormap: "inferno" });
  assert(greatest(own) > 120, "stretched to its own range it would glow");
  for (
    const map of [
      mapOf(-11, -5, 0.86),
      mapOf(-3, -2, -1),
      mapOf(0, 0.01, 0.02),
      mapOf(0, 0, 0),
    ]
  ) {
    const level = greatest(evidenceOverlay(image, map));
    assert(level <= 100, `${map.data}: ${level}`);
  }
  const other = evidenceOverlay(image, mapOf(0, 1, 2), { peak: 40 });
  assert(greatest(other) <= 100, "measured by the answer's map it is little");
});

Deno.test("evidenceOverlay() leaves the image as it is where the map is the same everywhere", () => {
  for (const signed of [false, true]) {
    const { data } = evidenceOverlay(grey(2), mapOf(30, 30.2), { signed });
    assertEquals([...data], [100, 100, 100, 100, 100, 100]);
  }
});

Deno.test("evidenceOverlay() colours from black at 0 to the last colour at the peak", () => {
  const { data } = evidenceOverlay(grey(2), mapOf(-1, 2), {
    alpha: 1,
    colormap: "viridis",
  });
  const table = [...colormap("viridis")].map((v) => Math.round(255 * v));
  assertEquals([...data], [...table.slice(0, 3), ...table.slice(-3)]);
});

Deno.test("evidenceOverlay() signed is red for, blue against, and clear at zero", () => {
  const { data } = evidenceOverlay(grey(3), mapOf(-4, 0, 4), {
    signed: true,
    alpha: 1,
  });
  assertEquals([...data], [0, 0, 255, 100, 100, 100, 255, 0, 0]);
  const half = evidenceOverlay(grey(2), mapOf(-1, 4), { signed: true });
  // A weak contradiction stays weak beside strong evidence.
  assert(half.data[2]! - half.data[0]! < 40 && half.data[3]! > 190);
});

Deno.test("evidenceOverlay() dims what lies outside the region, and puts the map exactly into it", () => {
  const image: Image = {
    height: 100,
    width: 300,
    channels: 1,
    data: new Uint8Array(30000).fill(100),
  };
  // The middle 100 columns and a half: from 99.75 to 200.25.
  const region = { left: 99.75, top: 0, width: 100.5, height: 100 };
  const ramp = mapOf(...Array.from({ length: 201 }, (_, i) => i));
  const { data } = evidenceOverlay(image, ramp, {
    region,
    alpha: 1,
    colormap: "grey",
  });
  const row = Array.from({ length: 300 }, (_, x) => data[(50 * 300 + x) * 3]!);
  assertEquals(new Set(row.slice(0, 100)), new Set([40]));
  assertEquals(new Set(row.slice(200)), new Set([40]));
  assertEquals([row[100], row[199]], [255, 255]);
  for (let x = 101; x < 199; x++) {
    const share = ((x + 0.5 - 99.75) / 100.5 * 201 - 0.5) / 200;
    assert(Math.abs(row[x]! - 255 * share) <= 1.01, `${x}: ${row[x]}`);
  }
  assertThrows(
    () =>
      evidenceOverlay(image, ramp, {
        region: { left: 300, top: 0, width: 151, height: 100 },
      }),
    GapcamError,
    "expected one that lies on the image's 100 x 300 pixels",
  );
});

Deno.test("evidenceOverlay() draws over a picture one pixel high, and one pixel wide", () => {
  for (const [height, width] of [[1, 5000], [5000, 1]] as const) {
    const data = new Uint8Array(height * width);
    const overlay = evidenceOverlay(
      { height, width, channels: 1, data },
      { height: 2, width: 2, data: Float32Array.of(1, 2, 3, 4) },
      {
        region: {
          left: width > 1 ? 2499.5 : 0,
          top: height > 1 ? 2499.5 : 0,
          width: 1,
          height: 1,
        },
      },
    );
    assertEquals([overlay.height, overlay.width], [height, width]);
  }
});

Deno.test("overlayCam() refuses a range that is none", () => {
  for (const range of [[1, 1], [2, 1], [0, Infinity], [NaN, 1]] as const) {
    assertThrows(
      () => overlayCam(grey(1), mapOf(1), { range }),
      GapcamError,
      "Cannot colour map: found a range",
    );
  }
});

Deno.test("encodeNpy() writes what numpy.save writes", () => {
  // numpy.save of [[1, 2, 3], [4, 5, 6]] as float32, first 128 bytes.
  const header = "\x93NUMPY\x01\x00\x76\x00" +
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }".padEnd(117) +
    "\n";
  const map = { height: 2, width: 3, data: Float32Array.of(1, 2, 3, 4, 5, 6) };
  const bytes = encodeNpy(map);
  assertEquals(String.fromCharCode(...bytes.slice(0, 128)), header);
  assertEquals(new Float32Array(bytes.buffer, 128), map.data);
});
