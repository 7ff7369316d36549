import { assertEquals, assertThrows } from "@std/assert";
import { openTestDevice } from "./_test_device.ts";
import { GapcamError } from "../../src/error.ts";

Deno.test("Tensor gives back what was written, for every type", () => {
  using device = openTestDevice();
  using floats = device.tensor([2, 3]);
  assertEquals([...floats.read()], [0, 0, 0, 0, 0, 0]);
  floats.write(Float32Array.of(1, 2, 3, 4, 5, -0.5));
  assertEquals([...floats.read()], [1, 2, 3, 4, 5, -0.5]);
  using bytes = device.tensor([1, 1, 2, 3], {
    data: Uint8Array.of(1, 2, 3, 4, 5, 255),
  });
  assertEquals(bytes.type, "u8");
  assertEquals([...bytes.read<Uint8Array>()], [1, 2, 3, 4, 5, 255]);
  using labels = device.tensor([2], { type: "i32", staged: true });
  labels.write(Int32Array.of(-1, 7));
  assertEquals([...labels.read<Int32Array>()], [-1, 7]);
});

Deno.test("Tensor.read() fills the array that it is given, and views of one", () => {
  using device = openTestDevice();
  using tensor = device.tensor([2], { data: Float32Array.of(3, 4) });
  const target = new Float32Array(4);
  assertEquals(tensor.read(target.subarray(1, 3)), Float32Array.of(3, 4));
  assertEquals([...target], [0, 3, 4, 0]);
});

Deno.test("Tensor rejects wrong lengths and wrong classes of arrays", () => {
  using device = openTestDevice();
  using tensor = device.tensor([2, 2], { data: Float32Array.of(1, 2, 3, 4) });
  for (const data of [new Float32Array(3), new Float32Array(5)]) {
    const error = assertThrows(
      () => tensor.write(data),
      GapcamError,
      `Cannot write a f32 tensor of shape [2, 2]: got Float32Array of ` +
        `${data.length} values, expected Float32Array of 4`,
    );
    assertEquals(error.code, "shape-mismatch");
  }
  assertThrows(
    () => tensor.write(new Int32Array(4)),
    GapcamError,
    "got Int32Array of 4 values",
  );
  assertThrows(() => tensor.write(new Uint8Array(16)), GapcamError);
  assertThrows(
    () => tensor.read(new Float32Array(3)),
    GapcamError,
    "Cannot read a f32 tensor of shape [2, 2]",
  );
  assertEquals([...tensor.read()], [1, 2, 3, 4]);
});

Deno.test("Device.tensor() rejects impossible shapes and wrong data", () => {
  using device = openTestDevice();
  for (
    const shape of [[], [0], [-1], [1.5], [2, NaN], [1, 1, 1, 1, 1], [2 ** 41]]
  ) {
    assertThrows(() => device.tensor(shape), GapcamError, "Cannot create");
  }
  const { liveBytes, allocations } = device.memory();
  assertThrows(
    () => device.tensor([3], { data: new Float32Array(2) }),
    GapcamError,
    "expected Float32Array of 3",
  );
  assertThrows(
    () => device.tensor([3], { type: "f32", data: new Int32Array(3) }),
    GapcamError,
    "got Int32Array",
  );
  assertEquals(device.memory().liveBytes, liveBytes);
  assertEquals(device.memory().allocations, allocations);
});

Deno.test("Device.tensor() reports memory that cannot be had", () => {
  using device = openTestDevice();
  const error = assertThrows(
    () => device.tensor([2 ** 39]),
    GapcamError,
    "Cannot",
  );
  assertEquals(error.code, "out-of-memory");
  assertEquals(device.memory().liveBytes, 0);
});

Deno.test("disposing of a tensor twice is harmless; using it afterwards is an error", () => {
  using device = openTestDevice();
  const tensor = device.tensor([2]);
  tensor[Symbol.dispose]();
  tensor[Symbol.dispose]();
  using program = device.program();
  for (
    const use of [
      () => tensor.read(),
      () => tensor.write(new Float32Array(2)),
      () => program.leakyRelu(tensor, 0.1),
    ]
  ) {
    const error = assertThrows(
      use,
      GapcamError,
      "Cannot use a tensor of shape [2]: it was disposed of",
    );
    assertEquals(error.code, "invalid-handle");
  }
});

Deno.test("creating and disposing of ten thousand tensors leaves nothing", () => {
  using device = openTestDevice();
  for (let i = 0; i < 10_000; i++) {
    using tensor = device.tensor([1 + i % 100]);
    tensor.write(new Float32Array(1 + i % 100));
  }
  assertEquals(device.memory().liveBytes, 0);
  assertEquals(device.memory().allocations, 0);
});
