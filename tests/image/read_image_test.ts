import { assertEquals, assertRejects } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { readImage } from "../../src/image/read_image.ts";
import { jpegNamed } from "./_files.ts";

Deno.test("readImage() reads a file whatever its name, and names it in errors", async () => {
  const { file, expected } = jpegNamed("4:4:4");
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/photo.png`;
    await Deno.writeFile(path, file);
    assertEquals((await readImage(path)).data, expected);
    await assertRejects(
      () => readImage(path, { maxPixels: 10 }),
      GapcamError,
      `Cannot read ${path}: found 29x37 pixels, expected at most 10 in all`,
    );
    const { code } = await assertRejects(
      () => readImage(`${folder}/none.png`),
      GapcamError,
      `Cannot read ${folder}/none.png: no such file`,
    );
    assertEquals(code, "not-found");
    const folderError = await assertRejects(
      () => readImage(folder),
      GapcamError,
      `Cannot read ${folder}: found a folder, expected a file`,
    );
    assertEquals(folderError.code, "io");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test({
  name: "readImage() waits for no pipe and reads no device",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const pipe = `${folder}/z.png`;
      await new Deno.Command("mkfifo", { args: [pipe] }).output();
      await Deno.symlink("/dev/zero", `${folder}/zero.png`);
      for (
        const [path, kind] of [
          [pipe, "a named pipe"],
          [`${folder}/zero.png`, "a device"],
        ] as const
      ) {
        const { code } = await assertRejects(
          () => readImage(path),
          GapcamError,
          `Cannot read ${path}: found ${kind}, expected a file`,
        );
        assertEquals(code, "io");
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
