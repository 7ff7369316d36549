import { assertEquals, assertRejects } from "@std/assert";
import { followRunLog, GapcamError } from "../../mod.ts";

function line(step: number): string {
  return `{"event":"stop","time":"t","reason":"finished","epoch":1,` +
    `"step":${step}}\n`;
}

/** Follows a log, and lets the test wait for what comes. */
class Follower implements AsyncDisposable {
  readonly #abort = new AbortController();
  readonly #events: AsyncGenerator<{ event: string }>;

  constructor(path: string) {
    this.#events = followRunLog(path, {
      signal: this.#abort.signal,
      interval: 2,
    });
  }

  /** Steps of the next events. */
  async steps(count: number): Promise<number[]> {
    const steps: number[] = [];
    for (let i = 0; i < count; i++) {
      const { value } = await this.#events.next();
      steps.push((value as { step: number }).step);
    }
    return steps;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    assertEquals((await this.#events.next()).done, true);
  }
}

async function withLog(test: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(`${folder}/log.jsonl`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("followRunLog() waits for the file, and for each line to be whole", () =>
  withLog(async (path) => {
    await using follower = new Follower(path);
    const first = follower.steps(1);
    await new Promise((resolve) => setTimeout(resolve, 10));
    await Deno.writeTextFile(path, line(1) + line(2).slice(0, 20));
    assertEquals(await first, [1]);
    const second = follower.steps(2);
    await new Promise((resolve) => setTimeout(resolve, 10));
    const append = { append: true };
    await Deno.writeTextFile(path, line(2).slice(20), append);
    await Deno.writeTextFile(path, '{"event":"later"}\n' + line(3), append);
    assertEquals(await second, [2, 3]);
  }));

Deno.test("followRunLog() goes on where a line that was cut short is taken back", () =>
  withLog(async (path) => {
    await Deno.writeTextFile(path, line(1) + '{"event":"epo');
    await using follower = new Follower(path);
    assertEquals(await follower.steps(1), [1]);
    const next = follower.steps(2);
    await new Promise((resolve) => setTimeout(resolve, 10));
    // As a log that is opened again does.
    await Deno.truncate(path, line(1).length);
    await Deno.writeTextFile(path, line(2) + line(3), { append: true });
    assertEquals(await next, [2, 3]);
  }));

Deno.test("followRunLog() reads a file that took the place of another from its beginning", () =>
  withLog(async (path) => {
    await Deno.writeTextFile(path, line(1) + line(2));
    await using follower = new Follower(path);
    assertEquals(await follower.steps(2), [1, 2]);
    await Deno.writeTextFile(`${path}.new`, line(3) + line(4) + line(5));
    await Deno.rename(`${path}.new`, path);
    assertEquals(await follower.steps(3), [3, 4, 5]);
    // The same file, written anew.
    await Deno.writeTextFile(path, line(6) + line(7) + line(8) + line(9));
    assertEquals(await follower.steps(4), [6, 7, 8, 9]);
  }));

Deno.test("followRunLog() names the line that is not JSON", () =>
  withLog(async (path) => {
    await Deno.writeTextFile(path, line(1));
    const events = followRunLog(path, { interval: 2 });
    await events.next();
    await Deno.writeTextFile(path, "nonsense\n", { append: true });
    await assertRejects(
      () => events.next(),
      GapcamError,
      `Cannot read run log ${path}: line 2 is not JSON`,
    );
  }));
