import type Crypto from "node:crypto";
import type Zlib from "node:zlib";

// Loading either takes as long as loading all of gapcam, and most scripts need
// neither, so each is loaded, within the call, when it is first asked for.

/** Deflate, inflate and CRC-32. */
export function zlib(): typeof Zlib {
  return globalThis.process.getBuiltinModule("node:zlib");
}

/** Hashes that Web Crypto does not have, or not in pieces. */
export function nodeCrypto(): typeof Crypto {
  return globalThis.process.getBuiltinModule("node:crypto");
}
