import { assertEquals, assertThrows } from "@std/assert";
import { inflateSync } from "node:zlib";
import { GapcamError } from "../../src/error.ts";
import { encodePng } from "../../src/image/encode_png.ts";
import { decodeReference, testImage } from "./_reference.ts";

const SIZES = [[1, 1], [1, 300], [300, 1], [5, 7], [96, 96], [64, 129]];

function hasPngcheck(): boolean {
  try {
    return new Deno.Command("pngcheck", { args: ["-h"] }).outputSync().code >=
      0;
  } catch {
    return false;
  }
}

const pngcheck = hasPngcheck();

for (const channels of [1, 3, 4] as const) {
  Deno.test(`encodePng() writes ${channels} channels that another decoder reads back`, async () => {
    for (const [height, width] of SIZES) {
      const image = testImage(height!, width!, channels);
      for (const compressionLevel of [0, 6, 9]) {
        const decoded = await decodeReference(
          encodePng(image, { compressionLevel }),
        );
        assertEquals(decoded, image);
      }
    }
  });
}

Deno.test({
  name: pngcheck
    ? "encodePng() writes files that pngcheck accepts"
    : "encodePng() writes files that pngcheck accepts (ignored: no pngcheck program)",
  ignore: !pngcheck,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      let files = 0;
      for (const channels of [1, 3, 4] as const) {
        for (const [height, width] of SIZES) {
          const bytes = encodePng(testImage(height!, width!, channels), {
            text: { Class: "ship é", Logit: "3.5", Ort: "Łódź 🚢" },
          });
          await Deno.writeFile(`${folder}/${files++}.png`, bytes);
        }
      }
      const { code, stdout } = await new Deno.Command("pngcheck", {
        args: [
          "-v",
          ...Array.from({ length: files }, (_, i) => `${folder}/${i}.png`),
        ],
      }).output();
      const text = new TextDecoder().decode(stdout);
      assertEquals(code, 0, text);
      assertEquals(text.match(/No errors detected/g)?.length, files, text);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("encodePng() chooses each of the five filters somewhere", () => {
  const image = testImage(200, 120, 3);
  const bytes = encodePng(image);
  const [start, length] = chunkOf(bytes, "IDAT");
  const stream = inflateSync(bytes.subarray(start, start + length));
  const filters = new Set<number>();
  for (let y = 0; y < 200; y++) filters.add(stream[y * 361]!);
  assertEquals([...filters].sort(), [0, 1, 2, 3, 4]);
});

Deno.test("encodePng() keeps Latin-1 in tEXt and other text in iTXt", () => {
  const bytes = encodePng(testImage(1, 1, 1), {
    text: { Title: "Größe", Other: "Größe ≤ 3" },
  });
  const [latin, latinLength] = chunkOf(bytes, "tEXt");
  assertEquals(
    bytes.slice(latin, latin + latinLength),
    Uint8Array.from("Title\0Größe", (c) => c.charCodeAt(0)),
  );
  const [other, otherLength] = chunkOf(bytes, "iTXt");
  assertEquals(
    new TextDecoder().decode(bytes.subarray(other, other + otherLength)),
    "Other\0\0\0\0\0Größe ≤ 3",
  );
});

Deno.test("encodePng() rejects a wrong length", () => {
  const image = {
    width: 2,
    height: 2,
    channels: 3,
    data: new Uint8Array(11),
  } as const;
  assertThrows(
    () => encodePng(image),
    GapcamError,
    "Cannot encode PNG: found 11 bytes, expected 12 for 2x2 pixels of 3 channels",
  );
});

Deno.test("encodePng() rejects sides that are not positive whole numbers", () => {
  for (const width of [0, -1, 1.5, NaN]) {
    const image = {
      width,
      height: 1,
      channels: 1,
      data: new Uint8Array(0),
    } as const;
    assertThrows(() => encodePng(image), GapcamError, `found width ${width}`);
  }
});

Deno.test("encodePng() rejects keywords and texts that PNG cannot hold", () => {
  const image = testImage(1, 1, 1);
  for (const keyword of ["", "x".repeat(80), " x", "x ", "a  b", "a\n", "Ł"]) {
    assertThrows(
      () => encodePng(image, { text: { [keyword]: "value" } }),
      GapcamError,
      "text keyword",
    );
  }
  for (const value of ["a\0b", "\ud800"]) {
    assertThrows(
      () => encodePng(image, { text: { Title: value } }),
      GapcamError,
      "expected neither",
    );
  }
  assertThrows(
    () => encodePng(image, { compressionLevel: 10 }),
    GapcamError,
    "compression level 10",
  );
});

/** Where the content of the first chunk of a type begins, and its length. */
function chunkOf(bytes: Uint8Array, type: string): [number, number] {
  const view = new DataView(bytes.buffer);
  let offset = 8;
  while (offset < bytes.length) {
    const length = view.getUint32(offset);
    const name = String.fromCharCode(...bytes.subarray(offset + 4, offset + 8));
    if (name === type) return [offset + 8, length];
    offset += length + 12;
  }
  throw new Error(`no ${type} chunk`);
}

Deno.test("encodePng()'s bytes are a response's body, a blob's part and a file's, without a cast", async () => {
  const bytes = encodePng(testImage(2, 2, 3));
  const body: BodyInit = bytes;
  assertEquals(await new Response(body).bytes(), bytes);
  assertEquals(new Blob([bytes]).size, bytes.length);
});

Deno.test("encodePng() writes a large image some rows at a time, and loses none", async () => {
  // More than the 8 MB of rows that are compressed at once.
  const [width, height] = [1500, 2501];
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) data[i] = (i * i >>> 7) & 255;
  const bytes = encodePng({ width, height, channels: 3, data }, {
    compressionLevel: 1,
  });
  const decoded = await decodeReference(bytes);
  assertEquals([decoded.width, decoded.height], [width, height]);
  assertEquals(decoded.data.every((level, i) => level === data[i]), true);
});
