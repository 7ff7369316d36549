import { assert, assertEquals } from "@std/assert";
import sharp from "npm:sharp@^0.35.5";
import { evidenceOverlay } from "../../src/cam/evidence_overlay.ts";
import { openDevice } from "../../src/device/open_device.ts";
import { Explainer } from "../../src/explain/explainer.ts";
import { decodeImage } from "../../src/image/decode_image.ts";
import {
  fitPhotograph,
  PHOTOGRAPH_FITS,
  type PhotographFit,
} from "../../src/image/fit_photograph.ts";
import type { Image } from "../../src/image/image.ts";
import type { Preprocessing } from "../../src/image/preprocessing.ts";
import { Network } from "../../src/nn/network.ts";
import { redAt, redInput, redModel, redState, slope } from "./_known_map.ts";

/** The evidence for red over a photograph, in full colour: grey levels. */
async function evidenceOver(
  photograph: Image,
  preprocessing: Preprocessing,
  options: { fit: PhotographFit; stride?: { height: number; width: number } },
) {
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, redModel, { state: redState });
  const { image, region } = fitPhotograph(photograph, preprocessing, options);
  using explainer = await Explainer.create(network, {
    batchSize: 1,
    image,
    ...redInput,
  });
  const [{ map, proof, place }] = await explainer.explain(image.data, {
    classIndex: 0,
  }) as [Awaited<ReturnType<Explainer["explain"]>>[number]];
  assert(proof.residual < 1e-5 && place.residual < 1e-5);
  assertEquals([map.height, map.width], [image.height, image.width]);
  const overlay = evidenceOverlay(photograph, map, {
    region,
    alpha: 1,
    colormap: "grey",
  });
  return { overlay, region, image };
}

/**
 * The largest and the mean difference between a photograph's red and the evidence
 * over it, in pixels whose surroundings the network saw; edges are blurred by
 * shrinking. A map that lies one pixel beside it is off by a level on average.
 */
function worst(
  photograph: Image,
  { overlay, region, image }: Awaited<ReturnType<typeof evidenceOver>>,
): { levels: number; compared: number; mean: number } {
  const margin = (shrunk: number) => shrunk > 1 ? 2 * shrunk : 0;
  const down = margin(region.height / image.height);
  const across = margin(region.width / image.width);
  const top = Math.max(0, region.top) + down;
  const left = Math.max(0, region.left) + across;
  const { height, width } = photograph;
  const bottom = Math.min(height, region.top + region.height) - down;
  const right = Math.min(width, region.left + region.width) - across;
  let levels = 0;
  let compared = 0;
  let sum = 0;
  for (let y = Math.ceil(top); y < Math.floor(bottom); y++) {
    for (let x = Math.ceil(left); x < Math.floor(right); x++) {
      const at = 3 * (y * width + x);
      const whole = Math.min(height, width) > 8;
      // The line around what was looked at.
      const rim = whole && (y - region.top < 1 || x - region.left < 1 ||
        region.top + region.height - y <= 2 ||
        region.left + region.width - x <= 2);
      if (rim) continue;
      const difference = overlay.data[at]! - photograph.data[at]!;
      levels = Math.max(levels, Math.abs(difference));
      sum += difference;
      compared++;
    }
  }
  return { levels, compared, mean: sum / compared };
}

/** The same with bright and dark exchanged. */
function negative(photograph: Image): Image {
  return { ...photograph, data: photograph.data.map((level) => 255 - level) };
}

const SIZES = [
  ["tall", 75, 24],
  ["wide", 24, 90],
  ["large", 130, 100],
  ["tiny", 3, 4],
  ["square", 32, 32],
] as const;

for (const fit of PHOTOGRAPH_FITS) {
  for (const [name, height, width] of SIZES) {
    for (const interpolation of ["bilinear", "bicubic"] as const) {
      Deno.test(`the map lies on a ${name} photograph to the pixel, ${fit}, ${interpolation}`, async () => {
        const photograph = slope(height, width);
        for (const cropShare of [1, 0.875]) {
          const seen = await evidenceOver(photograph, {
            ...{ imageSize: 28, interpolation, cropShare },
            ...redInput,
          }, { fit, stride: { height: 4, width: 4 } });
          const { levels, compared, mean } = worst(photograph, seen);
          const against = negative(photograph);
          const other = worst(
            against,
            await evidenceOver(against, {
              ...{ imageSize: 28, interpolation, cropShare },
              ...redInput,
            }, { fit, stride: { height: 4, width: 4 } }),
          );
          // One pixel of the tiny one is 25 levels across and 50 down.
          assert(levels <= (name === "tiny" ? 8 : 2), `${levels} levels`);
          // Rounding goes up in both, a map beside its place down in one.
          const shift = Math.abs(mean - other.mean) / 2;
          assert(shift <= (name === "tiny" ? 4 : 0.3), `${shift} on average`);
          assert(compared > 0);
          if (fit === "whole") {
            const { image } = seen;
            assertEquals([image.height % 4, image.width % 4], [0, 0]);
            const aspect = image.height * width / (image.width * height);
            assert(Math.abs(aspect - 1) < 0.15, `${aspect}`);
            assertEquals(seen.region, { top: 0, left: 0, height, width });
          }
        }
      });
    }
  }
}

/** Where a pixel of a turned picture was stored, by EXIF's eight orientations. */
const STORED: readonly ((
  y: number,
  x: number,
  turned: { height: number; width: number },
) => readonly [number, number])[] = [
  (y, x) => [y, x],
  (y, x, { width }) => [y, width - 1 - x],
  (y, x, { height, width }) => [height - 1 - y, width - 1 - x],
  (y, x, { height }) => [height - 1 - y, x],
  (y, x) => [x, y],
  (y, x, { width }) => [width - 1 - x, y],
  (y, x, { height, width }) => [width - 1 - x, height - 1 - y],
  (y, x, { height }) => [x, height - 1 - y],
];

for (let orientation = 1; orientation <= 8; orientation++) {
  Deno.test(`the map lies on a photograph that EXIF turns (${orientation}), to the pixel`, async () => {
    const size = { height: 40, width: 64 };
    const stored = slope(size.height, size.width);
    const bytes = await sharp(stored.data, {
      raw: { ...size, channels: 3 },
    }).withMetadata({ orientation }).png().toBuffer();
    const photograph = await decodeImage(new Uint8Array(bytes));
    const turned = orientation > 4 ? [64, 40] : [40, 64];
    assertEquals([photograph.height, photograph.width], turned);
    for (const fit of PHOTOGRAPH_FITS) {
      const seen = await evidenceOver(photograph, {
        imageSize: 32,
        ...redInput,
      }, { fit });
      const { levels, compared } = worst(photograph, seen);
      assert(levels <= 3, `${fit}: ${levels} levels`);
      assert(compared > 200);
      // And the photograph is the one that was stored.
      for (const [y, x] of [[20, 20], [12, 30], [30, 15]] as const) {
        const from = STORED[orientation - 1]!(y, x, photograph);
        assertEquals(
          photograph.data[3 * (y * photograph.width + x)],
          redAt(...from, size),
        );
      }
    }
  });
}
