import { assertEquals, assertInstanceOf } from "@std/assert";
import { GapcamError } from "../src/error.ts";

Deno.test("GapcamError carries its code, name, message and cause", () => {
  const cause = new Error("disk full");
  const error = new GapcamError("io", "Cannot save run.json", { cause });
  assertInstanceOf(error, Error);
  assertEquals(error.code, "io");
  assertEquals(error.name, "GapcamError");
  assertEquals(String(error), "GapcamError: Cannot save run.json");
  assertEquals(error.cause, cause);
});
