import { assertEquals, assertMatch } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);

/** What a command printed and how it ended. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

const { tasks } = JSON.parse(
  Deno.readTextFileSync(new URL("deno.json", ROOT)),
) as { tasks: Record<string, { command: string }> };

/**
 * A command as `deno task NAME` runs it, with that task's permissions, no
 * terminal and no network.
 */
export function commandOf(
  name: string,
  args: readonly string[],
  options: { env?: Record<string, string>; folder?: string } = {},
): Deno.Command {
  const [deno, ...task] = tasks[name]!.command.split(" ");
  assertEquals(deno, "deno");
  return new Deno.Command(Deno.execPath(), {
    args: [...task, ...args],
    cwd: ROOT,
    env: {
      NO_COLOR: "1",
      ...(options.folder ? { INIT_CWD: options.folder } : {}),
      ...options.env,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs a command to its end. */
export async function runCommand(
  name: string,
  args: readonly string[],
  options: { env?: Record<string, string>; folder?: string } = {},
): Promise<Outcome> {
  const { code, stdout, stderr } = await commandOf(name, args, options)
    .output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

/** Runs a command that must fail with exit code 1 and this one sentence. */
export async function assertRefused(
  name: string,
  args: readonly string[],
  sentence: RegExp,
  options: { env?: Record<string, string>; folder?: string } = {},
): Promise<void> {
  const { code, stderr } = await runCommand(name, args, options);
  assertMatch(stderr, sentence);
  assertMatch(stderr, /^error: [^\n]+[^.\n]\n$/);
  assertEquals(code, 1);
}

/** Runs a test in a folder that is gone afterwards. */
export async function withFolder(
  test: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Flags of a training run that takes a second. */
export const SMALL = [
  "--dataset=shapes",
  "--train-limit=40",
  "--test-limit=20",
  "--model=tiny",
  "--image-size=16",
  "--batch-size=10",
  "--device=cpu",
  "--log-every=2",
] as const;

/** Trains a small network and returns the run's folder. */
export async function trainSmall(
  folder: string,
  ...flags: string[]
): Promise<string> {
  const run = `${folder}/run`;
  const outcome = await runCommand("train", [
    ...SMALL,
    "--epochs=1",
    `--out=${run}`,
    ...flags,
  ]);
  assertEquals(outcome.code, 0, outcome.stderr);
  return run;
}
