import { GapcamError } from "../error.ts";
import { check, messageBuffer, readDescription } from "./_library.ts";
import type { Symbols } from "./_symbols.ts";
import type { CommunicatorDescription } from "./communicator_description.ts";

/**
 * How numbers are summed over ranks: `ordered`, in the order of ranks, which
 * gives the same bytes with every MPI; `fast`, as the library likes.
 */
export type ReduceOrder = "ordered" | "fast";

/**
 * What joins the processes of a run, its ranks, made by
 * {@linkcode openCommunicator}. All ranks must call its functions in the same
 * order, one at a time. Where another rank ends, fails or is not heard of, they
 * throw a {@linkcode GapcamError} of the code `rank-failed` that names it.
 */
export class Communicator {
  readonly #symbols: Symbols;
  readonly #library: string;
  readonly #joined: { symbols: Symbols; device: bigint; handle: bigint }[] = [];
  #handle: bigint;
  /** The ranks, their hosts and the library. */
  readonly description: CommunicatorDescription;

  /** @ignore Made by {@linkcode openCommunicator}. */
  constructor(
    symbols: Symbols,
    handle: bigint,
    options: { library: string },
  ) {
    this.#symbols = symbols;
    this.#library = options.library;
    this.#handle = handle;
    this.description = readDescription((...buffers) =>
      symbols.gapcam_communicator_describe(handle, ...buffers)
    );
  }

  /** Number of this process, from 0. */
  get rank(): number {
    return this.description.rank;
  }

  /** How many processes there are. */
  get size(): number {
    return this.description.size;
  }

  /** @ignore Joins a device, once; see {@linkcode Device.join}. */
  async joinDevice(symbols: Symbols, device: bigint): Promise<void> {
    if (symbols === this.#symbols) {
      if (this.description.abi !== "tcp" || this.size === 1) return;
      throw new GapcamError(
        "unsupported",
        "Cannot train on the CPUs of several ranks without MPI, which sums " +
          "their gradients; start them with mpirun, or use GPUs",
      );
    }
    if (this.#joined.some((one) => one.device === device)) return;
    const message = messageBuffer();
    const joined = new BigUint64Array(1);
    check(
      await symbols.gapcam_device_join(
        device,
        new TextEncoder().encode(`${this.#library}\0`),
        this.#use(),
        joined,
        message,
      ),
      message,
    );
    this.#joined.push({ symbols, device, handle: joined[0]! });
  }

  /** @ignore The handle, for a program of a device. */
  handleFor(symbols: Symbols, device: bigint): bigint {
    if (symbols === this.#symbols) return this.#use();
    const joined = this.#joined.find((one) =>
      one.symbols === symbols && one.device === device
    );
    if (joined) return joined.handle;
    throw new GapcamError(
      "invalid-argument",
      "Cannot make a program on several ranks: its device has not joined " +
        "theirs; call its join() first",
    );
  }

  /**
   * Copies bytes of one rank to all others.
   *
   * @param data What is sent or, on the other ranks, replaced; of one length.
   * @param options `root`: whose it is. Default: 0.
   */
  async broadcast(
    data: Uint8Array<ArrayBuffer>,
    options: { root?: number } = {},
  ): Promise<void> {
    await this.#call((handle, message) =>
      this.#symbols.gapcam_communicator_broadcast(
        handle,
        data,
        BigInt(data.length),
        options.root ?? 0,
        message,
      )
    );
  }

  /**
   * Gives every rank the numbers of all.
   *
   * @param own This rank's; as many as every other's.
   * @returns Those of each rank, in their order.
   */
  async gather(own: Float64Array<ArrayBuffer>): Promise<Float64Array[]> {
    const all = new Float64Array(own.length * this.size);
    await this.#call((handle, message) =>
      this.#symbols.gapcam_communicator_all_gather(
        handle,
        own,
        all,
        BigInt(own.byteLength),
        message,
      )
    );
    return Array.from(
      { length: this.size },
      (_, rank) => all.subarray(rank * own.length, (rank + 1) * own.length),
    );
  }

  /**
   * Gives every rank the numbers of all, of which each may have another count.
   *
   * @param own This rank's.
   * @returns Those of each rank, in their order.
   */
  async gatherLists(own: Float64Array<ArrayBuffer>): Promise<Float64Array[]> {
    const lengths = (await this.gather(Float64Array.of(own.length)))
      .map(([length]) => length!);
    const padded = new Float64Array(Math.max(...lengths));
    padded.set(own);
    const all = await this.gather(padded);
    return all.map((list, rank) => list.subarray(0, lengths[rank]));
  }

  /**
   * Gives every rank a value of each.
   *
   * @param own This rank's, which JSON can hold.
   * @returns Those of each rank, in their order.
   */
  async gatherValues<T>(own: T): Promise<T[]> {
    const texts: T[] = [];
    for (let root = 0; root < this.size; root++) {
      texts.push(await this.shareValue(own, { root }));
    }
    return texts;
  }

  /**
   * Gives every rank the value of one.
   *
   * @param value What JSON can hold; on other ranks it is left aside.
   * @param options `root`: whose counts. Default: 0.
   * @returns The value of that rank.
   */
  async shareValue<T>(value: T, options: { root?: number } = {}): Promise<T> {
    const text = JSON.stringify(value ?? null);
    const own = new TextEncoder().encode(text);
    const [length] = (await this.gather(Float64Array.of(own.length))).slice(
      options.root ?? 0,
    );
    const bytes = new Uint8Array(length![0]!);
    if (this.rank === (options.root ?? 0)) bytes.set(own);
    await this.broadcast(bytes, options);
    const shared = JSON.parse(new TextDecoder().decode(bytes));
    return (shared ?? undefined) as T;
  }

  /**
   * Sums numbers over the ranks, in place.
   *
   * @param numbers As many on every rank.
   * @param options `order`. Default: `ordered`.
   */
  async allReduce(
    numbers: Float32Array<ArrayBuffer>,
    options: { order?: ReduceOrder } = {},
  ): Promise<void> {
    await this.#call((handle, message) =>
      this.#symbols.gapcam_communicator_all_reduce(
        handle,
        numbers,
        BigInt(numbers.length),
        options.order === "fast" ? 2 : 0,
        message,
      )
    );
  }

  /** Waits for all ranks. */
  async barrier(): Promise<void> {
    await this.#call((handle, message) =>
      this.#symbols.gapcam_communicator_barrier(handle, message)
    );
  }

  /**
   * Tells the other ranks that this one cannot go on: what they wait for then
   * fails.
   *
   * @param reason Completes `rank 2 failed: ...`.
   */
  async abort(reason: string): Promise<void> {
    const text = new TextEncoder().encode(`${reason}\0`);
    await this.#call((handle, message) =>
      this.#symbols.gapcam_communicator_abort(handle, text, message)
    );
  }

  /**
   * Waits until the run cannot go on.
   *
   * @returns Why; undefined once the communicator was closed.
   */
  async failure(): Promise<GapcamError | undefined> {
    const message = messageBuffer();
    const handle = this.#use();
    const status = await this.#symbols.gapcam_communicator_watch(
      handle,
      message,
    );
    try {
      check(status, message);
    } catch (error) {
      if (error instanceof GapcamError) return error;
      throw error;
    }
    return undefined;
  }

  /** Waits for all ranks and ends MPI: nothing more can be exchanged. */
  async close(): Promise<void> {
    if (this.#handle === 0n) return;
    const handle = this.#use();
    this.#handle = 0n;
    const message = messageBuffer();
    for (const { symbols, handle } of this.#joined.splice(0)) {
      check(await symbols.gapcam_communicator_close(handle, message), message);
    }
    check(
      await this.#symbols.gapcam_communicator_close(handle, message),
      message,
    );
  }

  #use(): bigint {
    if (this.#handle !== 0n) return this.#handle;
    throw new GapcamError(
      "invalid-handle",
      "Cannot use a communicator: it was closed",
    );
  }

  async #call(
    start: (
      handle: bigint,
      message: Uint8Array<ArrayBuffer>,
    ) => Promise<number>,
  ): Promise<void> {
    const message = messageBuffer();
    check(await start(this.#use(), message), message);
  }
}
