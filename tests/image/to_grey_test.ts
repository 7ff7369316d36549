import { assertEquals } from "@std/assert";
import { toGrey } from "../../src/image/to_grey.ts";

Deno.test('toGrey() gives the levels of Pillow\'s convert("L")', () => {
  const data = Uint8Array.from({ length: 24 }, (_, i) => (i * 97 + 13) % 256);
  const grey = toGrey({ width: 4, height: 2, channels: 3, data });
  assertEquals(grey.channels, 1);
  assertEquals([...grey.data], [92, 127, 133, 168, 203, 88, 123, 81]);
});

Deno.test("toGrey() drops alpha and leaves a grey image as it is", () => {
  const data = Uint8Array.of(10, 10, 10, 0);
  const rgba = { width: 1, height: 1, channels: 4, data } as const;
  const grey = toGrey(rgba);
  assertEquals([...grey.data], [10]);
  assertEquals(toGrey(grey), grey);
});
