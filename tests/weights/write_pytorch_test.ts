import { assert, assertEquals, assertThrows } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { parsePytorch } from "../../src/weights/read_pytorch.ts";
import { readSafetensors } from "../../src/weights/read_safetensors.ts";
import type { StoredTensor } from "../../src/weights/stored_tensor.ts";
import { encodePytorch } from "../../src/weights/write_pytorch.ts";

const FIXTURES = new URL("../fixtures/weights/", import.meta.url);

/** Every type that PyTorch has a storage for, from the safetensors fixture. */
async function everyType(): Promise<Map<string, StoredTensor>> {
  const path = new URL("all_types.safetensors", FIXTURES).pathname;
  const { tensors } = await readSafetensors(path);
  tensors.delete("f8");
  return tensors;
}

Deno.test("encodePytorch() writes the bytes that PyTorch was seen to load", async () => {
  // scripts/fixtures/weights_verify.py loads this very file with PyTorch.
  const written = await Deno.readFile(new URL("written.pt", FIXTURES));
  assertEquals(encodePytorch(await everyType()), written);
});

Deno.test("encodePytorch() writes what parsePytorch() reads", async () => {
  const tensors = await everyType();
  const read = parsePytorch(encodePytorch(tensors)).tensors;
  assertEquals([...read.keys()], [...tensors.keys()]);
  for (const [name, tensor] of tensors) {
    assertEquals(read.get(name), tensor, name);
    assert(
      tensor.shape.includes(0) || read.get(name)!.bytes.byteOffset % 64 === 0,
    );
  }
});

Deno.test("encodePytorch() refuses a type without a storage class", () => {
  const error = assertThrows(
    () =>
      encodePytorch(
        new Map([["x", {
          dtype: "U16",
          shape: [1],
          bytes: new Uint8Array(2),
        }]]),
      ),
    GapcamError,
  ) as GapcamError;
  assert(
    error.message.startsWith(
      'Cannot write tensor "x" for PyTorch: its elements are U16, expected',
    ),
    error.message,
  );
});
