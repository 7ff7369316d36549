import type Buffers from "node:buffer";
import type Crypto from "node:crypto";
import type Paths from "node:path";
import type Urls from "node:url";
import type Workers from "node:worker_threads";
import type Zlib from "node:zlib";

// Loading these takes a fifth of the time of loading all of gapcam, and most
// scripts need none of them, so each is loaded, within the call, when it is first
// asked for.

/** Bytes as Node has them. */
export function nodeBuffer(): typeof Buffers {
  return globalThis.process.getBuiltinModule("node:buffer");
}

/** Paths of files. */
export function nodePath(): typeof Paths {
  return globalThis.process.getBuiltinModule("node:path");
}

/** Paths of files as addresses. */
export function nodeUrl(): typeof Urls {
  return globalThis.process.getBuiltinModule("node:url");
}

/** Threads. */
export function workerThreads(): typeof Workers {
  return globalThis.process.getBuiltinModule("node:worker_threads");
}

/** Deflate, inflate and CRC-32. */
export function zlib(): typeof Zlib {
  return globalThis.process.getBuiltinModule("node:zlib");
}

/** Hashes that Web Crypto does not have, or not in pieces. */
export function nodeCrypto(): typeof Crypto {
  return globalThis.process.getBuiltinModule("node:crypto");
}
