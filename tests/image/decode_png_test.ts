import { assertEquals, assertRejects } from "@std/assert";
import { crc32, deflateSync } from "node:zlib";
import { GapcamError } from "../../src/error.ts";
import { decodeImage } from "../../src/image/decode_image.ts";
import { encodePng } from "../../src/image/encode_png.ts";
import { files } from "./_files.ts";
import { testImage } from "./_reference.ts";

for (const { name, file, height, width, channels, expected } of files.png) {
  Deno.test(`decodeImage() gives Pillow's pixels of PNG ${name}`, async () => {
    assertEquals(
      await decodeImage(file),
      { height, width, channels, data: expected },
    );
  });
}

Deno.test("decodeImage() reads back what encodePng() writes", async () => {
  for (const channels of [1, 3] as const) {
    const image = testImage(70, 41, channels);
    assertEquals(await decodeImage(encodePng(image)), image);
  }
});

Deno.test("decodeImage() drops the alpha of a PNG", async () => {
  const image = {
    height: 1,
    width: 2,
    channels: 4,
    data: Uint8Array.of(1, 2, 3, 0, 4, 5, 6, 255),
  } as const;
  assertEquals(
    [...(await decodeImage(encodePng(image))).data],
    [1, 2, 3, 4, 5, 6],
  );
});

Deno.test("decodeImage() refuses a PNG cut off at any byte before its pixels end", async () => {
  const image = testImage(9, 9, 3);
  const file = encodePng(image, { text: { Title: "cut" } });
  // The last chunk, which holds nothing, has 12 bytes.
  for (let length = 0; length < file.length - 12; length++) {
    await assertRejects(
      () => decodeImage(file.subarray(0, length), { source: "cut.png" }),
      GapcamError,
      "Cannot read cut.png: found ",
    );
  }
  for (let length = file.length - 12; length < file.length; length++) {
    assertEquals(await decodeImage(file.subarray(0, length)), image);
  }
});

Deno.test("decodeImage() refuses or reads a PNG with any byte changed", async () => {
  const { file } = files.png.find(({ name }) => name.startsWith("type 3, 8"))!;
  let refused = 0;
  for (let i = 0; i < file.length; i++) {
    const damaged = file.slice();
    damaged[i] = damaged[i]! ^ 0x11;
    try {
      await decodeImage(damaged);
    } catch (error) {
      if (!(error instanceof GapcamError)) throw error;
      refused++;
    }
  }
  // All but the bytes of chunks that a reader may skip.
  assertEquals(refused > file.length / 2, true, `${refused} of ${file.length}`);
});

Deno.test("decodeImage() checks a PNG's sides before it takes memory", async () => {
  const huge = png({ width: 100_000, height: 100_000 }, new Uint8Array(10));
  await assertRejects(
    () => decodeImage(huge),
    GapcamError,
    "Cannot read image: found 100000x100000 pixels, expected at most 100000000 in all",
  );
  await assertRejects(
    () => decodeImage(encodePng(testImage(9, 9, 1)), { maxPixels: 80 }),
    GapcamError,
    "found 9x9 pixels, expected at most 80 in all",
  );
  // Within the limit, but the file cannot hold that much.
  await assertRejects(
    () =>
      decodeImage(png({ width: 10_000, height: 10_000 }, new Uint8Array(9))),
    GapcamError,
    "compressed bytes, expected enough for 100000000 bytes of pixels",
  );
});

Deno.test("decodeImage() refuses fewer pixels than a PNG's header says, and ignores more", async () => {
  for (const length of [0, 3, 5]) {
    await assertRejects(
      () => decodeImage(png({ width: 2, height: 2 }, new Uint8Array(length))),
      GapcamError,
      "Cannot read image: found PNG data that is damaged or cut off, expected " +
        "2x2 whole pixels",
    );
  }
  for (const length of [6, 7, 1_000_000]) {
    const stream = new Uint8Array(length);
    stream.set([0, 1, 2, 0, 3, 4]);
    const { data } = await decodeImage(png({ width: 2, height: 2 }, stream));
    assertEquals([...data], [1, 2, 3, 4]);
  }
});

Deno.test("decodeImage() refuses sides and interlaced pictures that take gigabytes", async () => {
  for (
    const [height, width] of [[1, 100_000_000], [100_000_000, 1]] as const
  ) {
    await assertRejects(
      () => decodeImage(png({ height, width }, new Uint8Array(1000))),
      GapcamError,
      `found ${height}x${width} pixels, expected at most 1000000 a side`,
    );
  }
  await assertRejects(
    () =>
      decodeImage(
        png(
          {
            width: 10_000,
            height: 9_990,
            depth: 16,
            colourType: 6,
            interlace: 1,
          },
          new Uint8Array(1000),
        ),
      ),
    GapcamError,
    "found 799200000 bytes of interlaced pixels, expected at most 268435456",
  );
});

Deno.test("decodeImage() names what is wrong in a PNG", async () => {
  const data = new Uint8Array(6);
  const cases: [Uint8Array, string][] = [
    [png({ depth: 3 }, data), "found colour type 0 of 3 bits"],
    [png({ colourType: 5 }, data), "found colour type 5 of 8 bits"],
    [png({ colourType: 3 }, data), "found no palette, expected one"],
    [png({ interlace: 2 }, data), "interlace 2, expected 0, 0, and 0 or 1"],
    [png({ width: 0 }, data), "found 2x0 pixels, expected positive sides"],
    [
      png({}, Uint8Array.of(5, 0, 0, 0, 0, 0)),
      "found PNG data that is damaged or cut off, expected 2x2 whole pixels",
    ],
  ];
  for (const [file, message] of cases) {
    await assertRejects(() => decodeImage(file), GapcamError, message);
  }
});

Deno.test("decodeImage() shows a palette index beyond the palette as black", async () => {
  const file = png(
    { colourType: 3 },
    Uint8Array.of(0, 0, 1, 0, 2, 0),
    [["PLTE", Uint8Array.of(9, 9, 9, 8, 8, 8)]],
  );
  const { data } = await decodeImage(file);
  assertEquals([...data], [9, 9, 9, 8, 8, 8, 0, 0, 0, 9, 9, 9]);
});

for (
  const [name, chunk] of [
    ["ImageMagick's text", ["zTXt", rawProfile(8)]],
    ["XMP", ["iTXt", xmpText(8)]],
  ] as const
) {
  Deno.test(`decodeImage() turns a PNG as ${name} says`, async () => {
    const file = png(
      { width: 3, height: 1 },
      Uint8Array.of(0, 1, 2, 3),
      [[chunk[0], chunk[1]]],
    );
    const { height, width, data } = await decodeImage(file);
    assertEquals([height, width, ...data], [3, 1, 3, 2, 1]);
  });
}

Deno.test("decodeImage() refuses what is no picture", async () => {
  await assertRejects(
    () => decodeImage(Uint8Array.of(1, 2, 3, 4)),
    GapcamError,
    "Cannot read image: found first bytes 01 02 03 04, expected a PNG, JPEG, " +
      "WebP, GIF, AVIF, TIFF or BMP picture",
  );
  await assertRejects(
    () => decodeImage(new Uint8Array(0)),
    GapcamError,
    "found no bytes",
  );
});

/** EXIF data in hexadecimal digits, as ImageMagick keeps them in a zTXt chunk. */
function rawProfile(orientation: number): Uint8Array {
  const exif = "45786966000049492a0008000000010012010300010000000" +
    `${orientation}00000000000000`;
  const text = `\nexif\n${String(exif.length / 2).padStart(8)}\n${exif}\n`;
  const keyword = new TextEncoder().encode("Raw profile type exif\0\0");
  return Uint8Array.from([...keyword, ...deflateSync(text)]);
}

function xmpText(orientation: number): Uint8Array {
  return new TextEncoder().encode(
    `XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="${orientation}"/>`,
  );
}

/** A PNG whose parts may contradict each other; 2x2 grey pixels if left out. */
function png(
  header: Partial<
    Record<"width" | "height" | "depth" | "colourType" | "interlace", number>
  >,
  stream: Uint8Array,
  extra: [string, Uint8Array][] = [],
): Uint8Array {
  const { width = 2, height = 2, depth = 8, colourType = 0, interlace = 0 } =
    header;
  const ihdr = new Uint8Array(13);
  new DataView(ihdr.buffer).setUint32(0, width);
  new DataView(ihdr.buffer).setUint32(4, height);
  ihdr.set([depth, colourType, 0, 0, interlace], 8);
  const chunks: [string, Uint8Array][] = [
    ["IHDR", ihdr],
    ...extra,
    ["IDAT", deflateSync(stream)],
    ["IEND", new Uint8Array(0)],
  ];
  const bytes = [137, 80, 78, 71, 13, 10, 26, 10];
  for (const [type, content] of chunks) {
    const body = [...new TextEncoder().encode(type), ...content];
    const numbers = new DataView(new ArrayBuffer(8));
    numbers.setUint32(0, content.length);
    numbers.setUint32(4, crc32(Uint8Array.from(body)));
    const ends = new Uint8Array(numbers.buffer);
    bytes.push(...ends.subarray(0, 4), ...body, ...ends.subarray(4));
  }
  return Uint8Array.from(bytes);
}
