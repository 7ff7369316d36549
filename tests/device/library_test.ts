import { assertEquals, assertThrows } from "@std/assert";
import { readDescription } from "../../src/device/_library.ts";
import { GapcamError } from "../../src/error.ts";

Deno.test("readDescription() asks again with the size that is needed", () => {
  const bytes = new TextEncoder().encode(JSON.stringify("a".repeat(200_000)));
  const capacities: bigint[] = [];
  const text = readDescription<string>((json, capacity, needed) => {
    capacities.push(capacity);
    needed[0] = BigInt(bytes.length + 1);
    if (capacity < needed[0]) return 1;
    json.set(bytes);
    return 0;
  });
  assertEquals(text.length, 200_000);
  assertEquals(capacities, [65536n, BigInt(bytes.length + 1)]);
});

Deno.test("readDescription() does not ask again where the size is not what is wrong", () => {
  const error = assertThrows(
    () =>
      readDescription((_json, _capacity, _needed, message) => {
        message.set(new TextEncoder().encode("Cannot use device 7\0"));
        return 2;
      }),
    GapcamError,
    "Cannot use device 7",
  );
  assertEquals(error.code, "invalid-handle");
});
