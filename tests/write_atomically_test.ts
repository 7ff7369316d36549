import { assertEquals, assertRejects } from "@std/assert";
import { GapcamError } from "../mod.ts";
import { writeAtomically } from "../src/_write_atomically.ts";

const MODULE = new URL("../src/_write_atomically.ts", import.meta.url).href;

async function withFolder(
  test: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

/** A process that writes a file for ever, once it has begun. */
async function slowWriter(path: string): Promise<Deno.ChildProcess> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { writeAtomically } from ${JSON.stringify(MODULE)};
      function* chunks() {
        yield new Uint8Array(9);
        console.log("begun");
        for (;;) yield new Uint8Array(1);
      }
      await writeAtomically(${JSON.stringify(path)}, chunks());`,
    ],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  reader.releaseLock();
  return child;
}

Deno.test("writeAtomically() removes what a killed writer left, and nothing else", () =>
  withFolder(async (folder) => {
    const killed = await slowWriter(`${folder}/net.pt`);
    const writing = await slowWriter(`${folder}/net.pt`);
    const others = ["mine.0123abcd.tmp", ".gapcam-notes.tmp", "net.pt"];
    for (const name of others) Deno.writeTextFileSync(`${folder}/${name}`, "a");
    killed.kill("SIGKILL");
    await killed.status;
    assertEquals(namesIn(folder).length, others.length + 2);
    await writeAtomically(`${folder}/b.png`, [new Uint8Array(3)]);
    const names = namesIn(folder);
    assertEquals(names.length, others.length + 2);
    for (const name of [...others, "b.png"]) {
      assertEquals(names.includes(name), true, name);
    }
    writing.kill("SIGKILL");
    await Promise.all([killed, writing].map((one) => one.stdout.cancel()));
    await writing.status;
  }));

Deno.test("writeAtomically() by several at once leaves one whole file", () =>
  withFolder(async (folder) => {
    const path = `${folder}/net.pt`;
    const sizes = Array.from({ length: 16 }, (_, i) => 1000 + i);
    await Promise.all(
      sizes.map((size) => writeAtomically(path, [new Uint8Array(size)])),
    );
    assertEquals(namesIn(folder), ["net.pt"]);
    assertEquals(sizes.includes(Deno.statSync(path).size), true);
  }));

Deno.test("writeAtomically() writes names as long as the system allows", () =>
  withFolder(async (folder) => {
    const name = "a".repeat(255);
    await writeAtomically(`${folder}/${name}`, [new Uint8Array(1)]);
    assertEquals(namesIn(folder), [name]);
  }));

Deno.test("writeAtomically() puts no file in the place of a folder or a device", () =>
  withFolder(async (folder) => {
    Deno.mkdirSync(`${folder}/there`);
    await assertRejects(
      () => writeAtomically(`${folder}/there`, [new Uint8Array(1)]),
      GapcamError,
      `Cannot write ${folder}/there: it is a folder`,
    );
    Deno.symlinkSync("/dev/null", `${folder}/null`);
    await assertRejects(
      () => writeAtomically(`${folder}/null`, [new Uint8Array(1)]),
      GapcamError,
      `Cannot write ${folder}/null: it is no file`,
    );
    assertEquals(namesIn(folder), ["null", "there"]);
  }));

Deno.test("writeAtomically() makes a folder only if it is told to", () =>
  withFolder(async (folder) => {
    const path = `${folder}/new/net.pt`;
    await assertRejects(
      () => writeAtomically(path, [new Uint8Array(1)]),
      GapcamError,
      `Cannot write ${path}: its folder does not exist`,
    );
    await writeAtomically(path, [new Uint8Array(1)], { makeFolder: true });
    assertEquals(namesIn(`${folder}/new`), ["net.pt"]);
  }));
