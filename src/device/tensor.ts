import { GapcamError } from "../error.ts";
import { call } from "./_library.ts";
import type { Lifetime } from "./_lifetime.ts";
import type { Symbols } from "./_symbols.ts";
import { elementCount } from "../host_tensor.ts";

/** Element types of a tensor. */
export type TensorType = "f32" | "u8" | "i32";

/** Host values of a tensor: Float32Array (f32), Uint8Array (u8) or Int32Array (i32). */
export type TensorData = Float32Array | Uint8Array | Int32Array;

/** {@linkcode TensorType} in the order of `gapcam_data_type`. */
export const TENSOR_TYPES: readonly TensorType[] = ["f32", "u8", "i32"];

// The net under tensors that nobody disposed of.
const registry = new FinalizationRegistry<{ symbols: Symbols; handle: bigint }>(
  ({ symbols, handle }) => symbols.gapcam_tensor_destroy(handle, null),
);

/**
 * An array on a device: f32 and i32 in row-major order of `shape` (feature
 * maps NCHW, convolution weights OIHW), u8 images as NHWC. Made by
 * {@linkcode Device.tensor}, or by an operation of a {@linkcode Program}, which
 * then owns it.
 *
 * @example Writing and reading
 * ```ts
 * import { openDevice } from "@gapcam/gapcam";
 *
 * using device = openDevice("cpu", { threads: 1 });
 * using tensor = device.tensor([2, 2]);
 * tensor.write(new Float32Array([1, 2, 3, 4]));
 * if (tensor.read()[3] !== 4) throw new Error();
 * ```
 */
export class Tensor implements Disposable {
  readonly #symbols: Symbols;
  #handle: bigint;
  readonly #lifetime: Lifetime;
  readonly #owned: boolean;
  /** Dimensions, outermost first. */
  readonly shape: readonly number[];
  /** Element type. */
  readonly type: TensorType;

  /** @ignore Tensors are made by {@linkcode Device.tensor} and by programs. */
  constructor(
    symbols: Symbols,
    handle: bigint,
    options: {
      shape: readonly number[];
      type: TensorType;
      lifetime: Lifetime;
      owned: boolean;
    },
  ) {
    this.#symbols = symbols;
    this.#handle = handle;
    this.#lifetime = options.lifetime;
    this.#owned = options.owned;
    this.shape = options.shape;
    this.type = options.type;
    if (options.owned) registry.register(this, { symbols, handle }, this);
  }

  /** Number of elements. */
  get length(): number {
    return elementCount(this.shape);
  }

  /** @ignore The native handle. */
  get handle(): bigint {
    const action = () =>
      `Cannot use a tensor of shape [${this.shape.join(", ")}]`;
    this.#lifetime.assertAlive(action);
    if (this.#handle !== 0n) return this.#handle;
    throw new GapcamError(
      "invalid-handle",
      `${action()}: it was disposed of`,
    );
  }

  /**
   * Copies values to the device.
   *
   * @param data All values, of the array class that fits {@linkcode type}.
   * @throws {GapcamError} If the class or the length of `data` does not fit, or
   * if the tensor belongs to a program.
   */
  write(data: TensorData): void {
    this.#fit(data, "write");
    const handle = this.handle;
    call((message) =>
      this.#symbols.gapcam_tensor_write(
        handle,
        data as BufferSource,
        BigInt(data.byteLength),
        message,
      )
    );
  }

  /**
   * Copies the values to the host.
   *
   * @param target Where to put them; a new array if left out.
   * @returns The values, in row-major order of {@linkcode shape}.
   * @throws {GapcamError} If the class or the length of `target` does not fit,
   * or if the tensor belongs to a program that is not compiled or that does not
   * keep it (see {@linkcode Program.output}).
   */
  read<Data extends TensorData = Float32Array>(target?: Data): Data {
    const data = target ?? this.#allocate() as Data;
    this.#fit(data, "read");
    const handle = this.handle;
    call((message) =>
      this.#symbols.gapcam_tensor_read(
        handle,
        data as BufferSource,
        BigInt(data.byteLength),
        message,
      )
    );
    return data;
  }

  /** Frees the tensor. A tensor that an operation made dies with its program. */
  [Symbol.dispose](): void {
    if (this.#handle === 0n || !this.#owned) return;
    const handle = this.#handle;
    this.#handle = 0n;
    registry.unregister(this);
    // The device may have been closed first, and the tensor with it.
    this.#symbols.gapcam_tensor_destroy(handle, null);
  }

  #allocate(): TensorData {
    const length = this.length;
    return this.type === "f32"
      ? new Float32Array(length)
      : this.type === "u8"
      ? new Uint8Array(length)
      : new Int32Array(length);
  }

  #fit(data: TensorData, action: string): void {
    const expected = { f32: Float32Array, u8: Uint8Array, i32: Int32Array }[
      this.type
    ];
    if (data instanceof expected && data.length === this.length) return;
    throw new GapcamError(
      "shape-mismatch",
      `Cannot ${action} a ${this.type} tensor of shape [${
        this.shape.join(", ")
      }]: got ${data.constructor.name} of ${data.length} values, expected ` +
        `${expected.name} of ${this.length}`,
    );
  }
}
