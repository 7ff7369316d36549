import {
  assert,
  assertEquals,
  assertLess,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { parsePytorch, readPytorch } from "../../src/weights/read_pytorch.ts";
import { toHostTensor } from "../../src/weights/stored_tensor.ts";

const FIXTURES = new URL("../fixtures/weights/", import.meta.url);

function fixture(name: string): string {
  return new URL(name, FIXTURES).pathname;
}

async function refusal(name: string): Promise<string> {
  const error = await assertRejects(
    () => readPytorch(fixture(name)),
    GapcamError,
  ) as GapcamError;
  assertEquals(error.code, "bad-data");
  return error.message.replace(fixture(name), name);
}

for (
  const name of [
    "protocol2.pt",
    "protocol3.pt",
    "protocol4.pt",
    "protocol5.pt",
    "legacy.pt",
    "deflated.pt",
  ]
) {
  Deno.test(`readPytorch() reads every type and stride of ${name}`, async () => {
    const expected: Record<string, { shape: number[]; values: number[] }> = JSON
      .parse(await Deno.readTextFile(fixture("pytorch_types.json")));
    const { tensors, notes } = await readPytorch(fixture(name));
    assertEquals(notes, []);
    assertEquals([...tensors.keys()], Object.keys(expected));
    for (const [key, { shape, values }] of Object.entries(expected)) {
      const tensor = toHostTensor(tensors.get(key)!, key);
      assertEquals(tensor.shape, shape, key);
      assertEquals(tensor.data, Float32Array.from(values), key);
    }
  });
}

Deno.test("readPytorch() takes tensors of an archive without a copy", async () => {
  const bytes = await Deno.readFile(fixture("protocol2.pt"));
  const { tensors } = parsePytorch(bytes);
  assert(tensors.get("shared")!.bytes.buffer === bytes.buffer);
  assert(tensors.get("f32")!.bytes.buffer === bytes.buffer);
  assert(toHostTensor(tensors.get("f32")!).data.buffer === bytes.buffer);
});

Deno.test("readPytorch() reads types that have no storage class", async () => {
  const { tensors } = await readPytorch(fixture("untyped.pt"));
  assertEquals(
    toHostTensor(tensors.get("u16")!).data,
    new Float32Array([1, 65535]),
  );
  assertEquals(tensors.get("f8")!.dtype, "F8_E4M3");
});

Deno.test("readPytorch() finds the state dict of a data-parallel checkpoint", async () => {
  const { tensors, notes } = await readPytorch(fixture("checkpoint.pt"));
  assertEquals([...tensors.keys()], [
    "0.weight",
    "0.bias",
    "1.weight",
    "1.bias",
    "1.running_mean",
    "1.running_var",
    "1.num_batches_tracked",
  ]);
  assertEquals(toHostTensor(tensors.get("1.num_batches_tracked")!).data[0], 1);
  assertEquals(notes, [
    'Read the state dict at "state_dict"',
    'Removed the prefix "module." of data-parallel training from all names',
  ]);
});

Deno.test("readPytorch() reads what Python 2 wrote", async () => {
  const { tensors } = await readPytorch(fixture("python2.pt"));
  assertEquals(
    toHostTensor(tensors.get("weight")!).data,
    new Float32Array([1, 2]),
  );
});

for (const name of ["attack2.pt", "attack4.pt", "attack_legacy.pt"]) {
  Deno.test(`readPytorch() refuses the call of os.system in ${name}`, async () => {
    // os.system is posix.system to Python, which is how the file says it.
    assertEquals(
      await refusal(name),
      `Cannot read ${name}: it calls posix.system, and reading weights runs ` +
        "no code from a file; in PyTorch, save model.state_dict() alone",
    );
    await assertRejects(() => Deno.stat("/tmp/gapcam_was_here"), Error);
  });
}

Deno.test("readPytorch() refuses a whole model by its class", async () => {
  assertEquals(
    await refusal("whole_model.pt"),
    "Cannot read whole_model.pt: it calls " +
      "torch.nn.modules.container.Sequential, and reading weights runs no " +
      "code from a file; in PyTorch, save model.state_dict() alone",
  );
});

/** A legacy file around a pickled value; the shortest way to any pickle. */
function legacy(pickle: string): Uint8Array {
  const magic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8P\x19.";
  const version = "\x80\x02M\xe9\x03.";
  const machine = "\x80\x02}X\x0d\0\0\0little_endian\x88s.";
  const text = magic + version + machine + "\x80\x02" + pickle + "\x80\x02].";
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function refusedPickle(pickle: string): string {
  const error = assertThrows(() => parsePytorch(legacy(pickle)), GapcamError);
  return (error as GapcamError).message.replace(
    "Cannot read PyTorch bytes: ",
    "",
  );
}

Deno.test("parsePytorch() refuses names that merely look like PyTorch's", () => {
  for (
    const [module, name] of [
      ["builtins", "eval"],
      ["torch", "load"],
      ["torch._utils", "_import_dotted_name"],
      ["torch", "constructor"],
      ["torch", "__proto__"],
      ["collections", "OrderedDict.fromkeys"],
      ["numpy.core.multiarray", "scalar"],
    ]
  ) {
    const message = refusedPickle(`c${module}\n${name}\n.`);
    assert(message.startsWith(`it calls ${module}.${name}, `), message);
  }
});

Deno.test("parsePytorch() refuses opcodes that make objects or load extensions", () => {
  const cases: [string, string][] = [
    ["(i__main__\nAttack\n.", "opcode 0x69 at byte"],
    ["\x82\x01.", "opcode 0x82 at byte"],
    ["\x97.", "opcode 0x97 at byte"],
    ["Ppersistent\n.", "opcode 0x50 at byte"],
    ["\x8f.", "opcode 0x8f at byte"],
    ["}K\x01)R.", "its pickle calls something that is no function"],
    ["K\x01}b.", "its pickle sets attributes of something that is no dict"],
    ["R.", "its pickle takes from an empty stack"],
    ["t.", "its pickle lacks a mark"],
    ["(.", "its pickle takes from an empty stack"],
    ["h\x07.", "its pickle refers to value 7, which it has not made"],
    ["K\x01K\x02a.", "its pickle appends to something that is no list"],
    ["\x8b\xff\xff\xff\x7f.", "its pickle has an integer of 2147483647 bytes"],
    ["X\xff\xff\xff\x7fab.", "its pickle is cut short"],
  ];
  for (const [pickle, message] of cases) {
    const found = refusedPickle(pickle);
    assert(found.includes(message), `${found}\nexpected ${message}`);
  }
  assertEquals(
    refusedPickle("\x8e\xff\xff\xff\xff\xff\xff\xff\xffab."),
    "its pickle is cut short",
  );
});

Deno.test("parsePytorch() says what it found in place of a state dict", () => {
  assertEquals(
    refusedPickle("]."),
    "it holds a list, expected a state dict: tensors by name, or a checkpoint " +
      'with one at "state_dict" or "model"',
  );
  assert(
    refusedPickle("}X\x05\0\0\0epochK\x03s.").startsWith(
      'it holds a dict with "epoch" and no tensors, expected',
    ),
  );
});

Deno.test("parsePytorch() stays small where a pickle refers to itself", () => {
  // A dict that is its own state_dict.
  assert(
    refusedPickle("}q\x01X\x05\0\0\0modelh\x01s.").startsWith(
      "it holds a dict",
    ),
  );
  // A dict whose keys are lists of lists of lists, each twice the one within.
  const doubling = "]q\x01" + "](h\x01h\x01eq\x01".repeat(60);
  assert(
    refusedPickle(`${doubling}}h\x01K\x01s.`).startsWith(
      "it holds a dict with a key that is no text",
    ),
  );
  // An OrderedDict of a long list, made again and again.
  const list = "](" + "K\x01K\x02\x86".repeat(1000) + "eq\x01";
  const again = "ccollections\nOrderedDict\nh\x01\x85R0".repeat(1000);
  assertEquals(
    refusedPickle(`${list}${again}.`),
    "its pickle copies more than it holds",
  );
});

Deno.test("parsePytorch() refuses millions of values before they fill the memory", () => {
  const many = "its pickle makes more than 1000000 values";
  const before = Deno.memoryUsage().heapUsed;
  for (const opcode of ["]", "}", ")", "N", "(", "N\x85"]) {
    assertEquals(refusedPickle(opcode.repeat(1_200_000)), many, opcode);
  }
  assertEquals(refusedPickle("N" + "\x94".repeat(1_200_000)), many);
  assertEquals(refusedPickle("]" + "Na".repeat(1_200_000)), many);
  assertLess(Deno.memoryUsage().heapUsed - before, 2 ** 30);
});

/** A dict with one float tensor of two elements and these sizes and strides. */
function tensorPickle(offset: string, sizes: string, strides: string): string {
  return "}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(" +
    "(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0aX\x03\0\0\0cpuK\x02tQ" +
    `${offset}${sizes}${strides}\x89}tRs.`;
}

Deno.test("parsePytorch() refuses views beyond their storage", () => {
  assertEquals(
    refusedPickle(tensorPickle("K\x01", "K\x02\x85", "K\x01\x85")),
    "it has a tensor [2] with strides [1] from element 1 on, and storage " +
      '"a" has only 2',
  );
  refusedPickle(tensorPickle("K\x00", "K\x02\x85", "J\xff\xff\xff\xff\x85"));
  refusedPickle(
    tensorPickle(
      "K\x00",
      "\x8a\x07\xff\xff\xff\xff\xff\xff\x1f\x85",
      "K\x01\x85",
    ),
  );
  refusedPickle(tensorPickle("K\x00", "K\x02\x85", ")"));
  assertEquals(
    refusedPickle(tensorPickle("K\x00", "K\x02\x85", "K\x01\x85")),
    'it has no storage "a"',
  );
});

Deno.test("parsePytorch() refuses one value repeated a billion times", () => {
  const found = refusedPickle(
    tensorPickle("K\x00", "J\x00\x00\x00\x40\x85", "K\x00\x85"),
  );
  assert(found.startsWith("its tensors repeat their values beyond "), found);
});

Deno.test("parsePytorch() refuses a file that is cut short anywhere", async () => {
  for (const name of ["protocol2.pt", "legacy.pt"]) {
    const bytes = await Deno.readFile(fixture(name));
    for (let length = 0; length < bytes.length; length += 13) {
      assertThrows(
        () => parsePytorch(bytes.subarray(0, length)),
        GapcamError,
        "Cannot read PyTorch bytes: ",
      );
    }
  }
});

Deno.test("parsePytorch() refuses what is no file of PyTorch's", () => {
  const error = assertThrows(
    () =>
      parsePytorch(new TextEncoder().encode("hello"), { name: "hello.pth" }),
    GapcamError,
  ) as GapcamError;
  assertEquals(
    error.message,
    "Cannot read hello.pth: it is a text and no file of torch.save: expected " +
      "a zip archive or the magic number of PyTorch before 1.6",
  );
});
