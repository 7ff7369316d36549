import { assertEquals } from "@std/assert";
import { printable, printableValue } from "../src/_printable.ts";

for (
  const [name, text, expected] of [
    ["colours", "\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"],
    ["ends of lines", "a\nb\r\tc\u2028d", "a\\nb\\r\\tc\\u2028d"],
    ["the second set of controls", "\x9b2J\x7f", "\\x9b2J\\x7f"],
    ["turned writing", "gnp\u202egnp.exe", "gnp\\u202egnp.exe"],
    ["halves of characters", "a\ud83d", "a\\ud83d"],
  ] as const
) {
  Deno.test(`printable() writes ${name} out`, () => {
    assertEquals(printable(text), expected);
  });
}

Deno.test("printable() leaves other scripts as they are and cuts what is long", () => {
  for (const text of ["собака", "猫", "naïve 🐱", 'it\'s "a" \\ b']) {
    assertEquals(printable(text), text);
  }
  assertEquals(printable("a".repeat(300)).length, 200);
  assertEquals(printableValue({ a: "b".repeat(1e6) }).length, 100);
  assertEquals(printableValue(undefined), "undefined");
});
