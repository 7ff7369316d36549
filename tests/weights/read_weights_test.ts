import { Buffer } from "node:buffer";
import { cpuSeconds } from "../_cpu_seconds.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { initialise } from "../../src/nn/parameters.ts";
import { vgg } from "../../src/models/vgg.ts";
import { initialWeights } from "../../src/train/initial_weights.ts";
import { mapVggWeights, vggFit } from "../../src/models/map_vgg_weights.ts";
import { parseWeights, readWeights } from "../../src/weights/read_weights.ts";
import { parsePytorch } from "../../src/weights/read_pytorch.ts";
import { parseSafetensors } from "../../src/weights/read_safetensors.ts";
import { recogniseVgg } from "../../src/models/recognise_vgg.ts";
import type { HostTensor, StateDict } from "../../src/host_tensor.ts";
import {
  isFloat,
  type StoredTensor,
  toHostTensor,
} from "../../src/weights/stored_tensor.ts";
import { encodeSafetensors } from "../../src/weights/write_safetensors.ts";

const FOREIGN = new URL("../fixtures/weights/foreign/", import.meta.url)
  .pathname;
const TRUNK = [8, "M", 16] as const;
const EXPECTED: Record<string, Record<string, number>> = JSON.parse(
  await Deno.readTextFile(`${FOREIGN}expected.json`),
);

/** What files say beside their tensors, where they are not as gapcam has it. */
const NOTES: Record<string, string[]> = {
  "best_acc_tensor.pth.tar": [
    'Read the state dict at "state_dict"',
    'Removed the prefix "module." of data-parallel training from all names',
  ],
  "bn_nobias.pth": [
    "Set to zero, as the weights have none: features.0.bias, features.4.bias",
  ],
  "complex_legacy.pt": ['Read the state dict at "net"'],
  "encoder.pt": [
    'Took "encoder.N" for the layers of the trunk',
    'Took "head" as the head, a convolution of 1 x 1, for a linear layer ' +
    "behind pooling",
    "Set to zero, as the weights have none: classifier.bias",
  ],
  "features_module.pth.tar": [
    'Read the state dict at "state_dict"',
    'Removed the prefix "module." of data-parallel training from 4 of 6 names',
  ],
  "head_1x1conv.pth": [
    'Took "classifier" as the head, a convolution of 1 x 1, for a linear ' +
    "layer behind pooling",
  ],
  "head_classifier0.pth": ['Took "classifier.0" as the head'],
  "head_fc.pth": ['Took "fc" as the head'],
  "k.pth": ['Read the state dict at "net"'],
  "lightning.ckpt": [
    'Read the state dict at "state_dict"',
    'Removed the prefix "model."',
  ],
  "list.pt": [
    "Read the state dict at 1",
    'Removed the prefix "net.backbone."',
  ],
  "many_dicts.pt": [
    'Read the state dict at "model", "network"',
    'That at "model_ema" would fit as well',
    'Removed the prefix "_orig_mod." of torch.compile from all names',
  ],
  "module.safetensors": [
    'Removed the prefix "module." of data-parallel training from all names',
  ],
  "odd_types.safetensors": [
    "Left out what the network does not use: ids, empty, scalar, u16, f8",
  ],
  "orig_mod.safetensors": [
    'Removed the prefix "_orig_mod." of torch.compile from all names',
  ],
  "student.ckpt": [
    'Read the state dict at "state_dict"',
    'Removed the prefix "student."',
    "Left out what the network does not use: teacher.features.0.weight, " +
    "teacher.features.0.bias, teacher.features.3.weight, " +
    "teacher.features.3.bias, teacher.classifier.weight, " +
    "teacher.classifier.bias, criterion.weight, accuracy.total",
  ],
};

function sumsOf(state: StateDict): Record<string, number> {
  return Object.fromEntries(
    [...state].map(([name, { data }]) => [
      name,
      data.reduce((sum, value) => sum + value, 0),
    ]),
  );
}

function assertSums(
  found: Record<string, number>,
  expected: Record<string, number>,
): void {
  for (const [name, sum] of Object.entries(expected)) {
    assert(Math.abs(found[name]! - sum) < 1e-9, `${name}: ${found[name]}`);
  }
  for (const [name, sum] of Object.entries(found)) {
    assert(name in expected || sum === 0, `${name} has no place`);
  }
}

for (const [name, expected] of Object.entries(EXPECTED)) {
  Deno.test(`weights of ${name} get gapcam's names`, async () => {
    const file = await readWeights(FOREIGN + name, { fit: vggFit(TRUNK) });
    const mapped = mapVggWeights(file.tensors, TRUNK);
    assertSums(sumsOf(mapped.state), expected);
    assertEquals(
      [...file.notes, ...mapped.notes].filter((note) =>
        !note.startsWith("Left out what is no tensor")
      ),
      NOTES[name] ?? [],
    );
    assertEquals(mapped.classes, 4);
    assertEquals(mapped.state.size, mapped.batchNorm ? 14 : 6);
  });

  Deno.test(`training starts from ${name} as it is`, async () => {
    const file = await readWeights(FOREIGN + name, { fit: vggFit() });
    const batchNorm = "features.1.running_mean" in expected;
    const started = initialWeights(
      vgg(TRUNK, { classes: 4, batchNorm }),
      file.tensors,
      { freeze: ["features"] },
    );
    assertEquals(started.fresh, []);
    assertEquals(started.taken.length, Object.keys(expected).length);
    assertSums(sumsOf(started.state), expected);
    const seen = recogniseVgg(file.tensors);
    assertEquals(seen?.trunk, [...TRUNK]);
    assertEquals(seen?.batchNorm, batchNorm);
  });
}

Deno.test("readWeights() goes by content: the format, whatever the name", async () => {
  const format = async (name: string) =>
    (await readWeights(FOREIGN + name)).format;
  assertEquals(await format("really_safetensors.pth"), "safetensors");
  assertEquals(await format("upper.SAFETENSORS"), "safetensors");
  assertEquals(await format("really_torch.safetensors"), "pytorch");
  assertEquals(await format("../legacy.pt"), "pytorch");
});

Deno.test("parseWeights() says what a file is that holds no weights", () => {
  const text = (start: string) => new TextEncoder().encode(start);
  const bytes = (start: string, length = 64) => {
    const result = new Uint8Array(length);
    [...start].forEach((one, i) => result[i] = one.charCodeAt(0));
    return result;
  };
  const tar = new Uint8Array(600);
  tar.set(text("model.bin"));
  tar.set(text("ustar"), 257);
  const cases: [Uint8Array, string][] = [
    [new Uint8Array(), "empty"],
    [bytes("\x08\x07\x12\x07pytorch"), "an ONNX file"],
    [text("<!DOCTYPE html>\n<html>"), "a web page"],
    [text("\n  <html lang=en>"), "a web page"],
    [text("# Weights\n\nSee below.\n"), "a text"],
    [text('{"message": "Not Found"}'), "a JSON text"],
    [text("Привет, мир"), "a text"],
    [
      text("version https://git-lfs.github.com/spec/v1\n"),
      "a pointer of Git LFS; fetch the file itself",
    ],
    [bytes("\x89HDF\r\n"), "an HDF5 file, as Keras writes"],
    [bytes("\x93NUMPY\x01"), "a NumPy array"],
    [bytes("\x1f\x8b\x08"), "a gzip archive; unpack it first"],
    [tar, "a tar archive; unpack it first"],
    [bytes("\x89PNG\r\n"), "a PNG picture"],
    [
      bytes("\x80\x04\x95"),
      "a pickle of something else than torch.save",
    ],
    [bytes("\x01\x02\x03\xff\xfe\xff\xff\xff\xff"), "no weights file"],
  ];
  for (const [content, kind] of cases) {
    const error = assertThrows(
      () => parseWeights(content, { name: "file" }),
      GapcamError,
    ) as Error;
    assertEquals(
      error.message,
      `Cannot read file: it is ${kind}, expected safetensors or a file of ` +
        "torch.save",
    );
  }
});

Deno.test("a tensor's elements are counted by its own type, not its storage's", async () => {
  const { tensors } = await readWeights(`${FOREIGN}typed.pt`);
  const weight = tensors.get("weight")!;
  assertEquals([weight.dtype, weight.shape], ["F64", [5]]);
  // As torch.load has it: pairs of 32-bit floats read as 64-bit ones.
  const pairs = new Float64Array(
    Float32Array.from({ length: 12 }, (_, i) => i)
      .buffer,
  );
  assertEquals(
    toHostTensor(weight).data,
    new Float32Array(pairs.subarray(1)),
  );
  const error = await assertRejects(
    () => readWeights(`${FOREIGN}typed_over.pt`),
    GapcamError,
  ) as Error;
  assert(/has only 6$/.test(error.message), error.message);
});

Deno.test("a tensor of 8-bit floats is refused by name where it is needed", () => {
  const state = initialise(vgg(TRUNK, { classes: 4 }), 0);
  const weight = state.get("features.3.weight")!;
  const tensors = new Map<string, HostTensor | StoredTensor>(state);
  tensors.set("features.3.weight", {
    dtype: "F8_E4M3",
    shape: weight.shape,
    bytes: new Uint8Array(weight.data.length),
  });
  const bytes = encodeSafetensors(tensors, {});
  for (
    const use of [
      () => mapVggWeights(parseWeights(bytes).tensors, TRUNK),
      () =>
        initialWeights(
          vgg(TRUNK, { classes: 4 }),
          parseWeights(bytes).tensors,
        ),
    ]
  ) {
    const error = assertThrows(use, GapcamError) as Error;
    assert(
      /^Cannot read "?features\.3\.weight"? as 32-bit floats: its elements are F8_E4M3/
        .test(error.message),
      error.message,
    );
  }
});

/** A safetensors file with this header. */
function withHeader(header: string): Uint8Array {
  const bytes = new Uint8Array(8 + header.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  new TextEncoder().encodeInto(header, bytes.subarray(8));
  return bytes;
}

Deno.test("parseSafetensors() reads packed types that it cannot convert", () => {
  const header = '{"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]},' +
    '"b":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[2,5]}}';
  const bytes = new Uint8Array([...withHeader(header), 1, 2, 3, 4, 5]);
  const { tensors } = parseSafetensors(bytes);
  assertEquals(tensors.get("a")!.bytes.length, 2);
  assertEquals(tensors.get("b")!.bytes.length, 3);
});

Deno.test("parseWeights() takes a header of 100 MB of spaces in a second", () => {
  const start = cpuSeconds();
  const bytes = withHeader(" ".repeat(50_000_000) + "{}");
  assertEquals(parseWeights(bytes).tensors.size, 0);
  const blank = withHeader(" ".repeat(100_000_000));
  assertThrows(() => parseWeights(blank), GapcamError);
  const seconds = cpuSeconds() - start;
  assert(seconds < 4, `took ${seconds} s`);
});

/** A legacy file around a pickled value. */
function legacy(pickle: string): Uint8Array {
  const magic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8P\x19.";
  const text = magic + "\x80\x02M\xe9\x03." +
    "\x80\x02}X\x0d\0\0\0little_endian\x88s." + "\x80\x02" + pickle +
    "\x80\x02].";
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

Deno.test("the search for a state dict stays small in a pickle that branches without end", () => {
  const refusal = (pickle: string) => {
    const start = cpuSeconds();
    const error = assertThrows(
      () => parsePytorch(legacy(pickle), { fit: vggFit(TRUNK) }),
      GapcamError,
    ) as Error;
    const seconds = cpuSeconds() - start;
    assert(seconds < 4, `took ${seconds} s`);
    return error.message;
  };
  // Dicts that hold the next one under ten keys each: 10^60 ways.
  let bomb = "}q\x01";
  for (let i = 0; i < 60; i++) {
    const items = Array.from(
      { length: 10 },
      (_, k) => `K${String.fromCharCode(k)}h\x01`,
    ).join("");
    bomb += `}(${items}uq\x01`;
  }
  assert(refusal(`${bomb}.`).includes("it holds a dict with 0, 1"));
  // One that holds itself, through a list and a tuple.
  assert(
    refusal("}q\x01K\x01]h\x01\x85as.").includes("expected a state dict"),
  );
  // A hundred thousand dicts, each with one long text that they share.
  const name = "x.".repeat(30_000);
  const size = String.fromCharCode(name.length & 255, name.length >> 8);
  const many = `]q\x02(X${size}\0\0${name}q\x010` +
    "}h\x01Ns".repeat(80_000) + "e.";
  assert(refusal(many).includes("it holds a list, expected"));
});

Deno.test("fifty thousand prefixes are looked through in a second", () => {
  const start = cpuSeconds();
  const weights: StateDict = new Map(
    Array.from({ length: 50_000 }, (_, i) => [
      `module.part${i}.0.weight`,
      { shape: [8, 3, 3, 3], data: new Float32Array(0) },
    ]),
  );
  assertEquals(recogniseVgg(weights)?.trunk, [8]);
  assertThrows(() => mapVggWeights(weights, TRUNK), GapcamError);
  const seconds = cpuSeconds() - start;
  assert(seconds < 5, `took ${seconds} s`);
});

Deno.test("parseWeights() reads what Node gives, whose slice() shares memory, at any offset", async () => {
  for (const name of ["legacy.pt", "network.pt"]) {
    const bytes = await Deno.readFile(
      new URL(`../fixtures/weights/${name}`, import.meta.url),
    );
    const expected = parseWeights(bytes).tensors;
    for (const offset of [1, 2, 3]) {
      const memory = Buffer.alloc(bytes.length + offset);
      memory.set(bytes, offset);
      const { tensors } = parseWeights(memory.subarray(offset));
      for (const [key, tensor] of expected) {
        if (!isFloat(tensor)) continue;
        assertEquals(toHostTensor(tensors.get(key)!), toHostTensor(tensor));
      }
    }
  }
});
