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

/** Where and how a command runs. */
export interface CommandOptions {
  env?: Record<string, string>;
  /** Where it was typed. */
  folder?: string;
  /** What `runs` and `data` are in; the project's folder if left out. */
  workingFolder?: string;
  /** Whether SIGHUP is ignored as it starts. */
  nohup?: boolean;
  /** Whether `deno task` itself starts it. */
  task?: boolean;
}

/**
 * A command as `deno task NAME` runs it, with that task's permissions, no
 * terminal and no network.
 */
export function commandOf(
  name: string,
  args: readonly string[],
  options: CommandOptions = {},
): Deno.Command {
  const [deno, ...task] = tasks[name]!.command.split(" ");
  assertEquals(deno, "deno");
  const nohup = ["-c", `trap '' HUP; exec "$@"`, "-", Deno.execPath()];
  return new Deno.Command(options.nohup ? "sh" : Deno.execPath(), {
    args: [
      ...(options.nohup ? nohup : []),
      ...(options.task
        ? ["task", name]
        : task.map((arg) => options.workingFolder ? fromAnywhere(arg) : arg)),
      ...args,
    ],
    cwd: options.workingFolder ?? ROOT,
    env: {
      NO_COLOR: "1",
      // Not that of the `deno task` that runs the tests: it is not this one's.
      ...(options.task ? {} : { INIT_CWD: options.folder ?? "" }),
      ...options.env,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** An argument that names the project's files from another folder. */
function fromAnywhere(arg: string): string {
  return arg
    .replace(/^scripts\//, new URL("scripts/", ROOT).pathname)
    .replace(/=build$/, `=${new URL("build", ROOT).pathname}`);
}

/** Runs a command to its end. */
export async function runCommand(
  name: string,
  args: readonly string[],
  options: CommandOptions = {},
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
  options: CommandOptions = {},
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

/** What a child prints, read bit by bit. */
export class Output {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  text = "";

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /** Reads until a pattern was printed. */
  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) {
      if (await this.#more()) continue;
      throw new Error(`the output ended before ${pattern}: ${this.text}`);
    }
  }

  /** Reads to the end. */
  async end(): Promise<string> {
    while (await this.#more());
    return this.text;
  }

  async #more(): Promise<boolean> {
    const { value, done } = await this.#reader.read();
    this.text += this.#decoder.decode(value, { stream: !done });
    return !done;
  }
}
