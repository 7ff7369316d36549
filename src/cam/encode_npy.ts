import { checkFloatMap, type FloatMap } from "../image/float_map.ts";

/**
 * Writes a map as a file for `numpy.load`: format 1.0, float32, C order.
 *
 * @param map The map.
 * @returns The bytes of the file.
 * @throws {GapcamError} If the map does not hold what its sides say.
 *
 * @example A map of two values
 * ```ts
 * import { encodeNpy } from "@gapcam/gapcam/cam";
 *
 * const bytes = encodeNpy({ height: 1, width: 2, data: Float32Array.of(1, 2) });
 * if (bytes.length !== 128 + 8) throw new Error(`${bytes.length}`);
 * ```
 */
export function encodeNpy(map: FloatMap): Uint8Array<ArrayBuffer> {
  checkFloatMap(map, "encode map");
  const { height, width, data } = map;
  const dict =
    `{'descr': '<f4', 'fortran_order': False, 'shape': (${height}, ${width}), }`;
  // Magic, version and length take 10 bytes; the values start at a multiple of 64.
  const start = Math.ceil((10 + dict.length + 1) / 64) * 64;
  const header = `${dict.padEnd(start - 10 - 1)}\n`;
  const bytes = new Uint8Array(start + data.length * 4);
  bytes.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0]);
  const view = new DataView(bytes.buffer);
  view.setUint16(8, header.length, true);
  bytes.set(new TextEncoder().encode(header), 10);
  data.forEach((value, i) => view.setFloat32(start + 4 * i, value, true));
  return bytes;
}
