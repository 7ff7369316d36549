import { assertEquals, assertThrows } from "@std/assert";
import {
  type Flag,
  helpText,
  parseFlags,
  UsageError,
} from "../../scripts/_flags.ts";

const FLAGS: Record<string, Flag> = {
  "batch-size": {
    type: "integer",
    help: "images a step",
    default: "8",
    formerly: ["batch"],
  },
  device: { type: "string", help: "where", choices: ["auto", "cpu", "cuda"] },
  index: { type: "integer", help: "which" },
  "learning-rate": { type: "number", help: "rate" },
  resume: { type: "string", optionalValue: true, help: "go on with a run" },
};
const COMMAND = { name: "test", summary: "Tests.", flags: FLAGS };

function parse(...args: string[]) {
  const notes: string[] = [];
  const values = parseFlags(COMMAND, FLAGS, args, (text) => notes.push(text));
  return { values, notes };
}

function assertHint(args: string[], hint: string): void {
  const error = assertThrows(() => parse(...args), UsageError);
  assertEquals(error.message.includes(hint), true, error.message);
}

Deno.test("parseFlags() takes an older spelling and says the new one", () => {
  for (const args of [["--batch", "4"], ["--batch=4"]]) {
    const { values, notes } = parse(...args);
    assertEquals(values["batch-size"], 4);
    assertEquals(notes, ["--batch is called --batch-size now"]);
  }
});

Deno.test("parseFlags() knows what other tools call a flag or a value", () => {
  assertHint(["--lr", "1"], "did you mean --learning-rate?");
  assertHint(["--device", "gpu"], "did you mean cuda?");
  assertHint(["-index", "3"], "did you mean --index?");
  assertHint(["--bacth-size", "3"], "did you mean --batch-size?");
});

Deno.test("parseFlags() tells a flag alone from an empty value", () => {
  assertEquals(parse("--resume").values.resume, "");
  assertHint(["--resume", ""], "--resume needs a value");
  assertHint(["--resume="], "--resume needs a value");
});

Deno.test("helpText() says what holds if a flag is left out", () => {
  assertEquals(
    helpText(COMMAND, FLAGS).split("\n")[4],
    "  --batch-size N     images a step (default: 8)",
  );
});
