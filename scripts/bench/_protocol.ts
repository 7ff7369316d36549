import { GapcamError } from "../../src/error.ts";
import { TextLineStream } from "./_lines.ts";

/**
 * Answers one JSON request a line, one JSON line each, until stdin ends. What
 * cannot be done is answered with `{"error": text}`.
 */
export async function serve(
  greeting: Record<string, unknown>,
  answer: (request: Record<string, unknown>) => unknown,
): Promise<void> {
  console.log(JSON.stringify(greeting));
  const lines = Deno.stdin.readable
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream());
  for await (const line of lines) {
    if (line.trim() === "") continue;
    try {
      console.log(JSON.stringify(await answer(JSON.parse(line))));
    } catch (error) {
      if (!(error instanceof GapcamError)) throw error;
      console.log(JSON.stringify({ error: error.message }));
    }
  }
}

/** A worker process that answers requests; see pytorch.py for the protocol. */
export class Worker implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  /** What the worker said when it started. */
  readonly greeting: Record<string, unknown>;

  private constructor(
    process: Deno.ChildProcess,
    lines: ReadableStreamDefaultReader<string>,
    greeting: Record<string, unknown>,
  ) {
    this.#process = process;
    this.#input = process.stdin.getWriter();
    this.#lines = lines;
    this.greeting = greeting;
  }

  /** Starts a worker and waits for its greeting. */
  static async start(
    command: string,
    args: string[],
    env: Record<string, string>,
  ): Promise<Worker> {
    const process = new Deno.Command(command, {
      args,
      env,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const lines = process.stdout
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream()).getReader();
    const { value } = await lines.read();
    if (value === undefined) throw new Error(`${command} ended at once`);
    return new Worker(process, lines, JSON.parse(value));
  }

  /**
   * Sends one request and waits for its answer.
   *
   * @throws {GapcamError} If the worker says that it cannot be done.
   */
  async ask(
    request: Record<string, unknown>,
  ): Promise<Record<string, unknown>> {
    const answer = await this.attempt(request);
    if (answer.error === undefined) return answer;
    throw new GapcamError("unsupported", String(answer.error));
  }

  /** As {@linkcode ask}, where `{"error": text}` is an answer too. */
  async attempt(
    request: Record<string, unknown>,
  ): Promise<Record<string, unknown>> {
    const text = new TextEncoder().encode(JSON.stringify(request) + "\n");
    await this.#input.write(text);
    const { value } = await this.#lines.read();
    if (value === undefined) {
      throw new Error(`a benchmark worker ended on ${JSON.stringify(request)}`);
    }
    return JSON.parse(value);
  }

  /** Ends the worker. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#process.status;
  }
}
