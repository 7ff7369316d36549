import { assertEquals, assertRejects } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { decodeImage } from "../../src/image/decode_image.ts";
import { files, jpegNamed } from "./_files.ts";
import { FIXTURES } from "./_reference.ts";

for (const { name, file, height, width, channels, expected } of files.jpeg) {
  Deno.test(`decodeImage() gives Pillow's pixels of JPEG ${name}`, async () => {
    assertEquals(
      await decodeImage(file),
      { height, width, channels, data: expected },
    );
  });
}

for (const name of ["4:2:0", "progressive", "CMYK", "CMYK, progressive"]) {
  Deno.test(`decodeImage() refuses a JPEG cut off at any byte (${name})`, async () => {
    const { file } = jpegNamed(name);
    for (let length = 0; length < file.length; length += 3) {
      await assertRejects(
        () => decodeImage(file.subarray(0, length), { source: "cut.jpg" }),
        GapcamError,
        "Cannot read cut.jpg: found ",
      );
    }
  });

  Deno.test(`decodeImage() refuses a JPEG cut off and closed again (${name})`, async () => {
    const { file } = jpegNamed(name);
    const cut = file.slice(0, file.length * 0.7);
    cut.set([0xff, 0xd9], cut.length - 2);
    await assertRejects(() => decodeImage(cut), GapcamError, "found ");
  });
}

for (
  const name of [
    "first_strip_only.jpg",
    "exact_rows.jpg",
    "restart_each_block.jpg",
  ]
) {
  // libvips reads eight rows at a time and looks for warnings before it does.
  Deno.test(`decodeImage() refuses damage in the last rows alone (${name})`, async () => {
    const file = Deno.readFileSync(new URL(`odd/${name}`, FIXTURES));
    const whole = (await decodeImage(file)).data;
    let refused = 0;
    for (let cut = 3; cut < 60; cut++) {
      const closed = file.slice(0, file.length - cut + 2);
      closed.set([0xff, 0xd9], closed.length - 2);
      try {
        assertEquals((await decodeImage(closed)).data, whole);
      } catch (error) {
        if (!(error instanceof GapcamError)) throw error;
        refused++;
      }
    }
    assertEquals(refused > 40, true, `${refused} refused`);
  });
}

Deno.test("decodeImage() refuses or reads a JPEG with any byte changed, and works on", async () => {
  const { file, expected } = jpegNamed("4:2:0");
  for (let i = 0; i < file.length; i += 2) {
    const damaged = file.slice();
    damaged[i] = damaged[i]! ^ 0x55;
    try {
      await decodeImage(damaged);
    } catch (error) {
      if (!(error instanceof GapcamError)) throw error;
    }
  }
  assertEquals((await decodeImage(file)).data, expected);
});

Deno.test("decodeImage() checks a JPEG's sides before it takes memory", async () => {
  const { file } = jpegNamed("4:2:0");
  await assertRejects(
    () => decodeImage(withSides(file, 65535, 65535)),
    GapcamError,
    "found 65535x65535 pixels, expected at most 100000000 in all",
  );
  await assertRejects(
    () => decodeImage(withSides(file, 9000, 9000)),
    GapcamError,
    "bytes of JPEG scans, expected at least 474891 for 9000x9000 pixels",
  );
  await assertRejects(
    () => decodeImage(withSides(file, 0, 37)),
    GapcamError,
    "found 0x37 pixels, expected positive sides",
  );
});

Deno.test("decodeImage() names the kinds of JPEG that it does not read", async () => {
  const { file } = jpegNamed("4:2:0");
  const frame = startOfFrame(file);
  for (
    const [at, value, message] of [
      [frame + 1, 0xc3, "JPEG with lossless or hierarchical coding"],
      [frame + 4, 12, "JPEG of 12 bits"],
      [frame + 9, 2, "2 JPEG components"],
    ] as const
  ) {
    const changed = file.slice();
    changed[at] = value;
    await assertRejects(() => decodeImage(changed), GapcamError, message);
  }
});

Deno.test("decodeImage() refuses a JPEG of hundreds of scans", async () => {
  const { file } = jpegNamed("progressive");
  const scan = file.findLastIndex((byte, i) =>
    byte === 0xff && file[i + 1] === 0xda
  );
  const last = file.subarray(scan, file.length - 2);
  const many = [...file.subarray(0, scan)];
  for (let i = 0; i < 100; i++) many.push(...last);
  many.push(0xff, 0xd9);
  await assertRejects(
    () => decodeImage(Uint8Array.from(many)),
    GapcamError,
    "found over 100 JPEG scans, expected fewer",
  );
});

Deno.test("decodeImage() ignores EXIF data that makes no sense", async () => {
  const { file, expected } = jpegNamed("orientation 1");
  const exif = file.findIndex((_, i) =>
    file[i] === 0x45 && file[i + 1] === 0x78
  );
  for (let i = exif; i < exif + 32; i++) {
    const changed = file.slice();
    changed[i] = 0xfe;
    assertEquals((await decodeImage(changed)).data.length, expected.length);
  }
});

function startOfFrame(file: Uint8Array): number {
  return file.findIndex((byte, i) => byte === 0xff && file[i + 1] === 0xc0);
}

function withSides(file: Uint8Array, height: number, width: number) {
  const changed = file.slice();
  const view = new DataView(changed.buffer);
  view.setUint16(startOfFrame(file) + 5, height);
  view.setUint16(startOfFrame(file) + 7, width);
  return changed;
}
