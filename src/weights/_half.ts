/** Half precision (IEEE 754 binary16) to 32-bit floats, exactly. */
export function float16ToFloat32(halves: Uint16Array): Float32Array {
  const result = new Float32Array(halves.length);
  const bits = new Uint32Array(result.buffer);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i]!;
    const sign = (half & 0x8000) << 16;
    const exponent = half >>> 10 & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0) {
      // Zero, or subnormal: a multiple of 2^-24.
      result[i] = fraction * 2 ** -24;
      bits[i] = bits[i]! | sign;
    } else if (exponent === 0x1f) {
      bits[i] = sign | 0x7f800000 | fraction << 13;
    } else bits[i] = sign | exponent + 112 << 23 | fraction << 13;
  }
  return result;
}

/** bfloat16, the upper half of a 32-bit float, to 32-bit floats, exactly. */
export function bfloat16ToFloat32(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
  return new Float32Array(bits.buffer);
}
