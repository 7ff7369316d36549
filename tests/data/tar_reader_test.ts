import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { TarReader } from "../../src/data/_tar_reader.ts";
import { noise, tar, temporaryFolder, write } from "./_helpers.ts";

/** Reads an archive in chunks of a size; returns the files by name. */
async function read(archive: Uint8Array, chunk: number) {
  const files: Record<string, number[]> = {};
  const closed: string[] = [];
  const reader = new TarReader((name, size) => {
    const bytes: number[] = files[name] = [];
    return Promise.resolve({
      write(part) {
        bytes.push(...part);
        return Promise.resolve();
      },
      close() {
        assertEquals(bytes.length, size);
        closed.push(name);
        return Promise.resolve();
      },
    });
  });
  for (let at = 0; at < archive.length; at += chunk) {
    await reader.write(archive.subarray(at, at + chunk));
  }
  reader.end();
  assertEquals(closed, Object.keys(files));
  return files;
}

const FILES = {
  "a/empty": new Uint8Array(),
  "a/short": noise(3),
  "b": noise(512),
  "long": noise(1500),
};

Deno.test("TarReader gives the same files however the bytes are cut", async () => {
  const archive = tar(FILES);
  for (const chunk of [1, 7, 511, 512, 513, archive.length]) {
    const files = await read(archive, chunk);
    assertEquals(Object.keys(files), Object.keys(FILES));
    for (const [name, data] of Object.entries(FILES)) {
      assertEquals(files[name], [...data]);
    }
  }
});

Deno.test("TarReader reads what GNU tar writes, long names too", async () => {
  const long = `${"folder/".repeat(25)}${"x".repeat(120)}`;
  for (const format of ["gnu", "pax", "ustar", "v7"]) {
    using folder = temporaryFolder();
    const names = ["short.bin"];
    if (format === "gnu" || format === "pax") names.push(long);
    for (const name of names) write(`${folder.path}/in/${name}`, noise(700));
    const { success } = await new Deno.Command("tar", {
      args: [`--format=${format}`, "-cf", "../out.tar", "--", "."],
      cwd: `${folder.path}/in`,
    }).output();
    assertEquals(success, true);
    const files = await read(Deno.readFileSync(`${folder.path}/out.tar`), 999);
    assertEquals(Object.keys(files).sort(), names.toSorted());
    for (const name of names) assertEquals(files[name], [...noise(700)]);
  }
});

Deno.test("TarReader rejects damaged and cut archives", async () => {
  const damaged = tar(FILES);
  damaged[3]! ^= 1;
  await assertRejects(
    () => read(damaged, 512),
    GapcamError,
    "a header's checksum is wrong",
  );
  await assertRejects(
    () => read(noise(2048), 512),
    GapcamError,
    "Cannot unpack the archive",
  );
  const reader = new TarReader(() => Promise.resolve(undefined));
  await reader.write(tar({ b: noise(512) }).subarray(0, 700));
  assertThrows(() => reader.end(), GapcamError, "in the middle of a file");
});
