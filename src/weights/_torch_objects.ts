import {
  bad,
  PickleFunction,
  PickleTuple,
  refuseGlobal,
} from "./_pickle_values.ts";
import { quote } from "./_quote.ts";
import { ELEMENT_BYTES, type StoredType } from "./stored_tensor.ts";

/** The memory behind tensors; several may share one. */
export interface TorchStorage {
  readonly kind: "storage";
  readonly key: string;
  /** Element type; undefined where only the tensors know it. */
  readonly dtype: StoredType | undefined;
  /** Elements, or bytes where the type is not known. */
  readonly length: number;
  /** Bytes of an element of a type that gapcam has no place for. */
  readonly foreignBytes: number | undefined;
}

/** A tensor of a type that gapcam has no place for: left out like any text. */
interface ForeignTensor {
  readonly kind: "foreign";
}
const FOREIGN: ForeignTensor = { kind: "foreign" };

/** A view of a storage. */
export interface TorchTensor {
  readonly kind: "tensor";
  readonly storage: TorchStorage;
  readonly dtype: StoredType;
  /** First element. */
  readonly offset: number;
  readonly shape: readonly number[];
  /** Elements from one index to the next, for each dimension. */
  readonly strides: readonly number[];
}

class TypeName {
  readonly dtype: StoredType | undefined;
  readonly isStorage: boolean;
  readonly foreignBytes: number | undefined;
  constructor(
    dtype: StoredType | undefined,
    isStorage: boolean,
    foreignBytes?: number,
  ) {
    this.dtype = dtype;
    this.isStorage = isStorage;
    this.foreignBytes = foreignBytes;
  }
}

/** Types of tensors that may stand beside weights, and their bytes. */
const FOREIGN_TYPES: Readonly<Record<string, number>> = {
  ComplexDoubleStorage: 16,
  complex128: 16,
  complex32: 4,
};

const STORAGE_TYPES: Readonly<Record<string, StoredType>> = {
  DoubleStorage: "F64",
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
  ComplexFloatStorage: "C64",
};

const TYPES: Readonly<Record<string, StoredType>> = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  float8_e4m3fn: "F8_E4M3",
  float8_e5m2: "F8_E5M2",
  float8_e8m0fnu: "F8_E8M0",
  int64: "I64",
  int32: "I32",
  int16: "I16",
  int8: "I8",
  uint64: "U64",
  uint32: "U32",
  uint16: "U16",
  uint8: "U8",
  bool: "BOOL",
  complex64: "C64",
};

/** Whether a value from a pickle is a tensor. */
export function isTensor(value: unknown): value is TorchTensor {
  return hasKind(value, "tensor");
}

/**
 * The globals that a file of PyTorch's may name.
 *
 * @param budget How many items calls may copy in all. A true file spends bytes
 * on each; without a bound a small one could copy a long list again and again.
 */
export function torchGlobals(
  budget: number,
): (module: string, name: string) => unknown {
  let left = budget;
  const orderedDict = new PickleFunction("collections.OrderedDict", (args) => {
    if (args.length === 0) return new Map();
    // Python 2 wrote the items as the argument.
    const [pairs] = args;
    if (args.length !== 1 || !Array.isArray(pairs)) {
      bad("its pickle makes an OrderedDict of something else than pairs");
    }
    left -= pairs.length;
    if (left < 0) bad("its pickle copies more than it holds");
    return new Map(pairs.map((pair) => {
      const items = pair instanceof PickleTuple ? pair.items : pair;
      if (!Array.isArray(items) || items.length !== 2) {
        bad("its pickle makes an OrderedDict of something else than pairs");
      }
      return [items[0], items[1]];
    }));
  });
  const functions = new Map<string, PickleFunction>([
    ["collections.OrderedDict", orderedDict],
    ...([
      ["torch._utils._rebuild_tensor", rebuildTensor],
      ["torch._utils._rebuild_tensor_v2", rebuildTensor],
      ["torch._utils._rebuild_tensor_v3", rebuildTypedTensor],
      ["torch._utils._rebuild_parameter", rebuildParameter],
      ["torch.Size", ([size]: readonly unknown[]) => size],
      ["torch.device", ([device]: readonly unknown[]) => device],
    ] as const).map(([name, body]) =>
      [name, new PickleFunction(name, body)] as const
    ),
  ]);
  return (module, name) => {
    const found = functions.get(`${module}.${name}`);
    if (found) return found;
    if (module === "torch" && Object.hasOwn(STORAGE_TYPES, name)) {
      return new TypeName(STORAGE_TYPES[name], true);
    }
    if (module === "torch" && Object.hasOwn(TYPES, name)) {
      return new TypeName(TYPES[name], false);
    }
    if (module === "torch" && Object.hasOwn(FOREIGN_TYPES, name)) {
      const isStorage = name.endsWith("Storage");
      return new TypeName(undefined, isStorage, FOREIGN_TYPES[name]);
    }
    if (module === "torch.storage" && name === "UntypedStorage") {
      return new TypeName(undefined, true);
    }
    refuseGlobal(module, name);
  };
}

/** A storage from its identifier: ("storage", type, key, device, length, ...). */
export function torchStorage(id: unknown): TorchStorage {
  const [kind, type, key, , length, view] = id instanceof PickleTuple
    ? id.items
    : [];
  if (
    kind !== "storage" || !(type instanceof TypeName) || !type.isStorage ||
    typeof key !== "string" || !isCount(length)
  ) bad("its pickle names a storage in an unknown way");
  if (view !== undefined && view !== null) {
    bad("it has a storage that is part of another, as PyTorch 0.1 wrote");
  }
  const { dtype, foreignBytes } = type;
  return { kind: "storage", key, dtype, length, foreignBytes };
}

function rebuildTensor(
  args: readonly unknown[],
): TorchTensor | ForeignTensor {
  const [storage, offset, size, stride] = args;
  if (!isStorage(storage)) bad("it has a tensor without a storage");
  if (storage.foreignBytes !== undefined) return FOREIGN;
  if (storage.dtype === undefined) bad("it has a tensor of unknown type");
  return tensor(storage, storage.dtype, offset, size, stride);
}

function rebuildTypedTensor(
  args: readonly unknown[],
): TorchTensor | ForeignTensor {
  const [storage, offset, size, stride, , , type] = args;
  if (!isStorage(storage)) bad("it has a tensor without a storage");
  if (type instanceof TypeName && type.foreignBytes !== undefined) {
    return FOREIGN;
  }
  if (!(type instanceof TypeName) || type.dtype === undefined) {
    bad("it has a tensor of unknown type");
  }
  return tensor(storage, type.dtype, offset, size, stride);
}

function rebuildParameter(
  [data]: readonly unknown[],
): TorchTensor | ForeignTensor {
  if (data === FOREIGN) return FOREIGN;
  if (!isTensor(data)) bad("it has a parameter that is no tensor");
  return data;
}

function tensor(
  storage: TorchStorage,
  dtype: StoredType,
  offset: unknown,
  size: unknown,
  stride: unknown,
): TorchTensor {
  const shape = counts(size);
  const strides = counts(stride);
  if (!isCount(offset) || shape.length !== strides.length) {
    bad("it has a tensor whose sizes and strides do not fit");
  }
  if (shape.length > 64) {
    bad(`it has a tensor of ${shape.length} dimensions, expected at most 64`);
  }
  // In the tensor's own elements, which need not be those of the storage.
  const held = Math.floor(storageLength(storage) / ELEMENT_BYTES[dtype]);
  const last = shape.reduce((sum, n, i) => sum + (n - 1) * strides[i]!, offset);
  if (!shape.includes(0) && !(last < held)) {
    bad(
      `it has a tensor [${shape}] with strides [${strides}] from element ` +
        `${offset} on, and storage ${quote(storage.key)} has only ${held}`,
    );
  }
  return { kind: "tensor", storage, dtype, offset, shape, strides };
}

/** Bytes of a storage, as the pickle says. */
export function storageLength(storage: TorchStorage): number {
  const { dtype, length, foreignBytes = 1 } = storage;
  return length * (dtype === undefined ? foreignBytes : ELEMENT_BYTES[dtype]);
}

function counts(value: unknown): readonly number[] {
  if (!(value instanceof PickleTuple) || !value.items.every(isCount)) {
    bad("it has a tensor whose sizes are no whole numbers");
  }
  return value.items as readonly number[];
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isStorage(value: unknown): value is TorchStorage {
  return hasKind(value, "storage");
}

function hasKind(value: unknown, kind: string): boolean {
  return typeof value === "object" && value !== null && "kind" in value &&
    value.kind === kind;
}
