import { assert, assertEquals } from "@std/assert";
import {
  ABI_VERSION,
  MAX_RANK,
  MESSAGE_BYTES,
  SYMBOLS,
} from "../../src/device/_symbols.ts";
import { PRECISIONS } from "../../src/device/device_options.ts";
import { STATUS_CODES } from "../../src/device/_library.ts";
import { ACTIVATIONS } from "../../src/device/activation.ts";
import { LOSSES } from "../../src/device/losses.ts";
import { BINARY, PHASES, POOLS } from "../../src/device/program_options.ts";
import { TENSOR_TYPES } from "../../src/device/tensor.ts";

const [numbers, functions] = await Promise.all(
  ["gapcam_numbers.h", "gapcam.h"].map((name) =>
    Deno.readTextFile(
      new URL(`../../native/include/${name}`, import.meta.url),
    )
  ),
);
const code = (numbers! + functions!).replaceAll(/\/\*[\s\S]*?\*\//g, "");

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
  const table: Record<string, unknown> = {};
  for (const [key, symbol] of Object.entries(SYMBOLS)) {
    const { parameters, result } = symbol;
    const name = "name" in symbol ? symbol.name : key;
    const entry = { parameters: [...parameters], result };
    // A second entry for a function must agree with the first.
    if (name in table) assertEquals(entry, table[name]);
    table[name] = entry;
  }
  assert(Object.keys(declared).length > 20);
  assertEquals(table, declared);
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
  for (const [phase, bit] of Object.entries(PHASES)) {
    assertEquals(value(`GAPCAM_${phase.toUpperCase()}`), bit);
  }
  const snake = (name: string) =>
    name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
  for (const [activation, number] of Object.entries(ACTIVATIONS)) {
    assertEquals(value(`GAPCAM_${snake(activation)}`), number);
  }
  for (const [kind, number] of Object.entries(BINARY)) {
    assertEquals(value(`GAPCAM_${snake(kind)}`), number);
  }
  for (const [pool, number] of Object.entries(POOLS)) {
    assertEquals(value(`GAPCAM_${snake(pool)}_POOL`), number);
  }
  for (const [loss, number] of Object.entries(LOSSES)) {
    assertEquals(value(`GAPCAM_${snake(loss)}`), number);
  }
  assertEquals(value("GAPCAM_DEVICE_SYNCHRONOUS"), 1);
  assertEquals(value("GAPCAM_TENSOR_STAGED"), 1);
  assertEquals(value("GAPCAM_PROGRAM_TRAINING"), 1);
  assertEquals(value("GAPCAM_PROGRAM_PROFILE"), 2);
});

Deno.test("every status of gapcam.h has an error code of its own name", () => {
  const block = /enum gapcam_status \{([\s\S]*?)\}/.exec(code)![1]!;
  const statuses = [...block.matchAll(/GAPCAM_(\w+) = (\d+)/g)];
  assertEquals(statuses.length, STATUS_CODES.length);
  for (const [, name, number] of statuses) {
    if (name === "OK") continue;
    assertEquals(
      STATUS_CODES[Number(number)] as string,
      name!.toLowerCase().replaceAll("_", "-"),
    );
  }
});
