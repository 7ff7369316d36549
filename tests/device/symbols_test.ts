import { assertEquals } from "@std/assert";
import {
  ABI_VERSION,
  MAX_RANK,
  MESSAGE_BYTES,
  SYMBOLS,
} from "../../src/device/_symbols.ts";
import { PRECISIONS } from "../../src/device/device.ts";
import { TENSOR_TYPES } from "../../src/device/tensor.ts";

const header = await Deno.readTextFile(
  new URL("../../native/include/gapcam.h", import.meta.url),
);
const code = header.replaceAll(/\/\*[\s\S]*?\*\//g, "");

const RESULTS: Record<string, string> = {
  int32_t: "i32",
  uint32_t: "u32",
  uint64_t: "u64",
};
const PARAMETERS: Record<string, string> = {
  ...RESULTS,
  int64_t: "i64",
  float: "f32",
  gapcam_handle: "u64",
};

function ffiType(parameter: string): string {
  if (parameter.includes("*")) return "buffer";
  const type = parameter.trim().split(/\s+/)[0]!;
  const found = PARAMETERS[type];
  if (!found) throw new Error(`unknown C type ${type}`);
  return found;
}

Deno.test("SYMBOLS has exactly the functions and types of gapcam.h", () => {
  const declared: Record<string, unknown> = {};
  for (
    const [, result, name, parameters] of code.matchAll(
      /GAPCAM_API\s+(\w+)\s+(gapcam_\w+)\(([^)]*)\);/g,
    )
  ) {
    const list = parameters!.trim() === "void" ? [] : parameters!.split(",");
    declared[name!] = {
      parameters: list.map(ffiType),
      result: RESULTS[result!],
    };
  }
  const table = Object.fromEntries(
    Object.entries(SYMBOLS).map(([name, { parameters, result }]) => [
      name,
      { parameters: [...parameters], result },
    ]),
  );
  assertEquals(table as Record<string, unknown>, declared);
});

Deno.test("constants agree with gapcam.h", () => {
  function define(name: string): number {
    return Number(new RegExp(`#define ${name} (\\d+)`).exec(code)![1]);
  }
  function value(name: string): number {
    return Number(new RegExp(`${name} = (\\d+)`).exec(code)![1]);
  }
  assertEquals(define("GAPCAM_ABI_VERSION"), ABI_VERSION);
  assertEquals(define("GAPCAM_MESSAGE_BYTES"), MESSAGE_BYTES);
  assertEquals(define("GAPCAM_MAX_RANK"), MAX_RANK);
  TENSOR_TYPES.forEach((type, i) =>
    assertEquals(value(`GAPCAM_${type.toUpperCase()}`), i)
  );
  PRECISIONS.forEach((precision, i) =>
    assertEquals(value(`GAPCAM_PRECISION_${precision.toUpperCase()}`), i)
  );
});
