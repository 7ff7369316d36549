import { PickleBytes } from "./_pickle_bytes.ts";
import {
  bad,
  hex,
  type PickleContext,
  PickleFunction,
  PickleTuple,
} from "./_pickle_values.ts";

/** What stands before the items of a list on the stack. */
const MARK = Symbol("mark");

/**
 * Most values that one pickle may make and keep. One opcode of one byte makes a
 * dict of some 200 bytes, so a small archive could fill the memory; 25,000
 * tensors stay within the bound.
 */
const VALUE_LIMIT = 1_000_000;
/** What a dict counts. */
const DICT_COST = 8;

/**
 * Reads one pickle: protocols 2 to 5, and those opcodes of 0 and 1 that Python 2
 * wrote into protocol 2. It builds plain values and calls nothing but the
 * {@linkcode PickleFunction}s that the context hands out.
 *
 * @throws {GapcamError} If the pickle is damaged or has an opcode beyond
 * tensors, dicts, lists, tuples, texts and numbers.
 */
export class Unpickler {
  readonly #bytes: PickleBytes;
  readonly #context: PickleContext;
  readonly #stack: unknown[] = [];
  readonly #memo = new Map<number, unknown>();
  #made = 0;

  constructor(bytes: Uint8Array, context: PickleContext, position = 0) {
    this.#bytes = new PickleBytes(bytes, position);
    this.#context = context;
  }

  /** Byte after what has been read. */
  get position(): number {
    return this.#bytes.position;
  }

  /** Reads to the pickle's end and returns its value. */
  load(): unknown {
    if (this.#bytes.byte() !== 0x80) {
      bad("it is not a pickle of protocol 2 to 5");
    }
    const protocol = this.#bytes.byte();
    if (protocol < 2 || protocol > 5) {
      bad(`its pickle has protocol ${protocol}, expected 2 to 5`);
    }
    for (;;) {
      const at = this.#bytes.position;
      const opcode = this.#bytes.byte();
      if (opcode === 0x2e /* STOP */) return this.#pop();
      if (
        !this.#constant(opcode) && !this.#container(opcode) &&
        !this.#object(opcode)
      ) {
        bad(
          `its pickle has opcode ${hex(opcode)} at byte ${at}, ` +
            "which no file of tensors needs",
        );
      }
    }
  }

  /** Opcodes that push a number, a text or nothing at all. */
  #constant(opcode: number): boolean {
    switch (opcode) {
      case 0x95: // FRAME: how many bytes one read should take
        this.#bytes.take(8);
        return true;
      case 0x4e: // NONE
        return this.#push(null);
      case 0x88: // NEWTRUE
        return this.#push(true);
      case 0x89: // NEWFALSE
        return this.#push(false);
      case 0x4b: // BININT1
        return this.#push(this.#bytes.byte());
      case 0x4d: // BININT2
        return this.#push(
          this.#bytes.view.getUint16(this.#bytes.take(2), true),
        );
      case 0x4a: // BININT
        return this.#push(this.#bytes.view.getInt32(this.#bytes.take(4), true));
      case 0x8a: // LONG1
        return this.#push(this.#bytes.long(this.#bytes.byte()));
      case 0x8b: // LONG4
        return this.#push(this.#bytes.long(this.#bytes.length4()));
      case 0x47: // BINFLOAT, the one big-endian opcode
        return this.#push(
          this.#bytes.view.getFloat64(this.#bytes.take(8), false),
        );
      case 0x8c: // SHORT_BINUNICODE
      case 0x55: // SHORT_BINSTRING, a text of Python 2
        return this.#push(this.#bytes.text(this.#bytes.byte()));
      case 0x58: // BINUNICODE
      case 0x54: // BINSTRING
        return this.#push(this.#bytes.text(this.#bytes.length4()));
      case 0x8d: // BINUNICODE8
        return this.#push(this.#bytes.text(this.#bytes.length8()));
      case 0x43: // SHORT_BINBYTES
        return this.#push(this.#bytes.data(this.#bytes.byte()));
      case 0x42: // BINBYTES
        return this.#push(this.#bytes.data(this.#bytes.length4()));
      case 0x8e: // BINBYTES8
        return this.#push(this.#bytes.data(this.#bytes.length8()));
    }
    return false;
  }

  /** Opcodes that make and fill lists, tuples and dicts. */
  #container(opcode: number): boolean {
    switch (opcode) {
      case 0x28: // MARK
        return this.#push(MARK);
      case 0x5d: // EMPTY_LIST
        this.#spend(1);
        return this.#push([]);
      case 0x7d: // EMPTY_DICT
        this.#spend(DICT_COST);
        return this.#push(new Map());
      case 0x29: // EMPTY_TUPLE
        this.#spend(1);
        return this.#push(new PickleTuple([]));
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: { // TUPLE3
        this.#spend(2);
        const items: unknown[] = [];
        for (let i = 0x84; i < opcode; i++) items.push(this.#pop());
        return this.#push(new PickleTuple(items.reverse()));
      }
      case 0x74: // TUPLE
        return this.#push(new PickleTuple(this.#popToMark()));
      case 0x6c: // LIST
        return this.#push(this.#popToMark());
      case 0x64: { // DICT
        const items = this.#popToMark();
        this.#spend(DICT_COST);
        this.#push(new Map());
        this.#setItems(items);
        return true;
      }
      case 0x61: // APPEND
        this.#append([this.#pop()]);
        return true;
      case 0x65: // APPENDS
        this.#append(this.#popToMark());
        return true;
      case 0x73: { // SETITEM
        const value = this.#pop();
        this.#setItems([this.#pop(), value]);
        return true;
      }
      case 0x75: // SETITEMS
        this.#setItems(this.#popToMark());
        return true;
    }
    return false;
  }

  /** Opcodes that remember, name and call things. */
  #object(opcode: number): boolean {
    switch (opcode) {
      case 0x30: // POP
        // Not #pop(): a mark may be taken off too.
        if (this.#stack.length === 0) {
          bad("its pickle takes from an empty stack");
        }
        this.#stack.pop();
        return true;
      case 0x31: // POP_MARK
        this.#popToMark();
        return true;
      case 0x32: // DUP
        return this.#push(this.#top());
      case 0x71: // BINPUT
        return this.#remember(this.#bytes.byte());
      case 0x72: // LONG_BINPUT
        return this.#remember(this.#bytes.length4());
      case 0x94: // MEMOIZE
        return this.#remember(this.#memo.size);
      case 0x68: // BINGET
        return this.#recall(this.#bytes.byte());
      case 0x6a: // LONG_BINGET
        return this.#recall(this.#bytes.length4());
      case 0x63: { // GLOBAL
        const module = this.#bytes.line();
        return this.#push(this.#context.findGlobal(module, this.#bytes.line()));
      }
      case 0x93: { // STACK_GLOBAL
        const name = this.#pop();
        const module = this.#pop();
        if (typeof name !== "string" || typeof module !== "string") {
          bad("its pickle names a function by something else than text");
        }
        return this.#push(this.#context.findGlobal(module, name));
      }
      case 0x52: // REDUCE
      case 0x81: { // NEWOBJ
        const args = this.#pop();
        const callee = this.#pop();
        if (!(callee instanceof PickleFunction)) {
          bad("its pickle calls something that is no function");
        }
        if (!(args instanceof PickleTuple)) {
          bad(`its pickle calls ${callee.name} without a tuple of arguments`);
        }
        this.#spend(DICT_COST);
        return this.#push(callee.call(args.items));
      }
      case 0x62: // BUILD: attributes, such as the _metadata of a state dict
        this.#pop();
        if (!(this.#top() instanceof Map)) {
          bad("its pickle sets attributes of something that is no dict");
        }
        return true;
      case 0x51: // BINPERSID
        this.#spend(2);
        return this.#push(this.#context.findPersistent(this.#pop()));
    }
    return false;
  }

  #push(value: unknown): true {
    if (this.#stack.length >= VALUE_LIMIT) tooMany();
    this.#stack.push(value);
    return true;
  }

  #spend(values: number): void {
    this.#made += values;
    if (this.#made > VALUE_LIMIT) tooMany();
  }

  #top(): unknown {
    const value = this.#stack.at(-1);
    if (this.#stack.length === 0 || value === MARK) {
      bad("its pickle takes from an empty stack");
    }
    return value;
  }

  #pop(): unknown {
    const value = this.#top();
    this.#stack.pop();
    return value;
  }

  #popToMark(): unknown[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) bad("its pickle lacks a mark");
    const items = this.#stack.splice(mark);
    items.shift();
    this.#spend(1 + items.length);
    return items;
  }

  #append(items: readonly unknown[]): void {
    this.#spend(items.length);
    const list = this.#top();
    if (!Array.isArray(list)) {
      bad("its pickle appends to something that is no list");
    }
    for (const item of items) list.push(item);
  }

  #setItems(items: readonly unknown[]): void {
    this.#spend(items.length);
    const dict = this.#top();
    if (!(dict instanceof Map) || items.length % 2 !== 0) {
      bad("its pickle sets items of something that is no dict");
    }
    for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1]);
  }

  #remember(index: number): true {
    if (this.#memo.size >= VALUE_LIMIT) tooMany();
    this.#memo.set(index, this.#top());
    return true;
  }

  #recall(index: number): true {
    if (!this.#memo.has(index)) {
      bad(`its pickle refers to value ${index}, which it has not made`);
    }
    return this.#push(this.#memo.get(index));
  }
}

function tooMany(): never {
  bad(`its pickle makes more than ${VALUE_LIMIT} values`);
}
