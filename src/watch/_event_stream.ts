import type { RunsWatcher } from "./runs_watcher.ts";

/** So often is something sent, so that nobody takes the line for dead. */
const HEARTBEAT_MS = 15_000;

/** So often is looked whether there is something to send. */
const SEND_MS = 250;

/** What a browser waits before it asks again. */
const RETRY_MS = 2000;

/** Tells those who listen what is new, as server-sent events. */
export class EventStreams {
  readonly #watcher: RunsWatcher;
  /** Tells this process from one before, whose numbers mean other things. */
  readonly #boot: string;
  readonly #open = new Set<{ close: () => void }>();

  constructor(watcher: RunsWatcher) {
    this.#watcher = watcher;
    this.#boot = crypto.randomUUID().slice(0, 8);
  }

  /** How many listen. */
  get count(): number {
    return this.#open.size;
  }

  /**
   * Begins to tell.
   *
   * @param lastId What the listener heard last, if it says so.
   */
  respond(lastId: string | null): Response {
    const [boot, number] = (lastId ?? "").split(".");
    const heard = boot === this.#boot ? Number(number) : NaN;
    let sent = Number.isSafeInteger(heard) ? heard : -1;
    let quiet = 0;
    let timer: ReturnType<typeof setInterval> | undefined;
    const own = { close: () => {} };
    const stop = () => {
      clearInterval(timer);
      this.#open.delete(own);
    };
    const encoder = new TextEncoder();
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const send = (text: string) => controller.enqueue(encoder.encode(text));
        own.close = () => {
          stop();
          controller.close();
        };
        this.#open.add(own);
        send(`retry: ${RETRY_MS}\n\n`);
        const look = () => {
          const { sequence } = this.#watcher;
          // Who reads slowly is told less often.
          if ((controller.desiredSize ?? 1) <= -64) return;
          if (sequence === sent) {
            quiet += SEND_MS;
            if (quiet >= HEARTBEAT_MS) send(": still here\n\n");
            if (quiet >= HEARTBEAT_MS) quiet = 0;
            return;
          }
          const news = this.#watcher.since(Math.max(0, sent));
          const data = JSON.stringify({ ...news, all: sent < 0 });
          send(`id: ${this.#boot}.${sequence}\nevent: runs\ndata: ${data}\n\n`);
          sent = sequence;
          quiet = 0;
        };
        look();
        timer = setInterval(look, SEND_MS);
      },
      cancel: stop,
    });
    return new Response(stream, {
      headers: {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
      },
    });
  }

  /** Ends them all. */
  close(): void {
    for (const one of [...this.#open]) one.close();
  }
}
