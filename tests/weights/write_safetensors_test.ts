import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import {
  parseSafetensors,
  readSafetensors,
} from "../../src/weights/read_safetensors.ts";
import {
  encodeSafetensors,
  writeSafetensors,
} from "../../src/weights/write_safetensors.ts";
import type { HostTensor } from "../../src/host_tensor.ts";
import type { StoredTensor } from "../../src/weights/stored_tensor.ts";

const FIXTURE = new URL(
  "../fixtures/weights/all_types.safetensors",
  import.meta.url,
);

async function withFolder(
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
}

function tensors(value: number): Map<string, HostTensor> {
  return new Map([
    ["features.2.bias", { shape: [1], data: new Float32Array([value]) }],
    ["features.10.bias", { shape: [], data: new Float32Array([2]) }],
  ]);
}

Deno.test("encodeSafetensors() writes the bytes of the format's own library", async () => {
  const bytes = await Deno.readFile(FIXTURE);
  const { tensors, metadata } = parseSafetensors(bytes);
  assertEquals(encodeSafetensors(tensors, metadata), bytes);
});

Deno.test("encodeSafetensors() gives the same bytes for any order", () => {
  const one = tensors(1);
  const other = new Map([...one].reverse());
  assertEquals(
    encodeSafetensors(one, { a: "1", b: "2" }),
    encodeSafetensors(other, { b: "2", a: "1" }),
  );
});

Deno.test("encodeSafetensors() keeps text of any language and names like 1", () => {
  const state = new Map<string, HostTensor | StoredTensor>([
    ["1", { shape: [1], data: new Float32Array([1]) }],
    ['qu"ote\n', { dtype: "U8", shape: [3], bytes: new Uint8Array([1, 2, 3]) }],
  ]);
  const file = parseSafetensors(
    encodeSafetensors(state, { classes: '["Äpfel","猫"]' }),
  );
  assertEquals(file.metadata, { classes: '["Äpfel","猫"]' });
  assertEquals([...file.tensors.keys()].sort(), ["1", 'qu"ote\n']);
  assertEquals(
    file.tensors.get('qu"ote\n')!.bytes,
    new Uint8Array([1, 2, 3]),
  );
});

Deno.test("encodeSafetensors() refuses values that do not fit the shape", () => {
  const error = assertThrows(
    () =>
      encodeSafetensors(
        new Map([["x", { shape: [3], data: new Float32Array(2) }]]),
      ),
    GapcamError,
  );
  assertEquals(
    error.message,
    'Cannot write tensor "x": it has 8 bytes, expected 12 for F32 [3]',
  );
  assertThrows(
    () =>
      encodeSafetensors(
        new Map([["__metadata__", { shape: [0], data: new Float32Array(0) }]]),
      ),
    GapcamError,
  );
});

Deno.test("writeSafetensors() replaces a file and leaves nothing beside it", () =>
  withFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    await writeSafetensors(path, tensors(1));
    await writeSafetensors(path, tensors(5), { step: "7" });
    const file = await readSafetensors(path);
    assertEquals(file.metadata, { step: "7" });
    assertEquals(
      await Deno.readFile(path),
      encodeSafetensors(tensors(5), { step: "7" }),
    );
    assertEquals(names(folder), ["model.safetensors"]);
  }));

Deno.test("writeSafetensors() names a missing folder", () =>
  withFolder(async (folder) => {
    const error = await assertRejects(
      () => writeSafetensors(`${folder}/none/x.safetensors`, tensors(1)),
      GapcamError,
    );
    assertEquals(
      (error as GapcamError).message,
      `Cannot write ${folder}/none/x.safetensors: its folder does not exist`,
    );
  }));

Deno.test("writeSafetensors() keeps the old file where the disk takes no more", () =>
  withFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    await writeSafetensors(path, tensors(1));
    const before = await Deno.readFile(path);
    const module = new URL(
      "../../src/weights/write_safetensors.ts",
      import.meta.url,
    );
    // A limit on the size of files stands for a full disk: the write fails
    // part of the way, as it does there.
    const script = `
      import { writeSafetensors } from "${module}";
      const data = new Float32Array(1e6);
      try {
        await writeSafetensors("${path}", new Map([["x", { shape: [1e6], data }]]));
        console.log("written");
      } catch (error) {
        console.log(error.name + ": " + error.message);
      }`;
    const output = await new Deno.Command("bash", {
      args: [
        "-c",
        'trap "" XFSZ; ulimit -f 1024; exec "$0" eval --no-lock "$1"',
        Deno.execPath(),
        script,
      ],
      stdout: "piped",
      stderr: "piped",
    }).output();
    const text = new TextDecoder().decode(output.stdout).trim();
    assert(
      text.startsWith(`GapcamError: Cannot write ${path}: `),
      text + new TextDecoder().decode(output.stderr),
    );
    assert(text.includes("File too large"), text);
    assertEquals(names(folder), ["model.safetensors"]);
    assertEquals(await Deno.readFile(path), before);
  }));
