/**
 * Where pictures keep how they are to be turned: EXIF data, which are a small
 * TIFF file, or XMP text, for JPEG, PNG and all others.
 */

/** The orientation in EXIF data, 1 to 8; undefined if they have none that makes sense. */
export function exifOrientation(exif: Uint8Array): number | undefined {
  const start = isExif(exif) ? 6 : 0;
  if (exif.length < start + 8) return;
  const tiff = new DataView(
    exif.buffer,
    exif.byteOffset + start,
    exif.length - start,
  );
  const order = tiff.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return;
  const little = order === 0x4949;
  const directory = tiff.getUint32(4, little);
  if (directory + 2 > tiff.byteLength) return;
  const count = tiff.getUint16(directory, little);
  for (let i = 0; i < count; i++) {
    const entry = directory + 2 + 12 * i;
    if (entry + 12 > tiff.byteLength) return;
    if (tiff.getUint16(entry, little) !== 0x0112) continue;
    return oneToEight(tiff.getUint16(entry + 8, little));
  }
  return;
}

/** The orientation in XMP text, as {@linkcode exifOrientation}. */
export function xmpOrientation(xmp: string): number | undefined {
  const [, digit] = /tiff:Orientation(?:="|>)([0-9])/.exec(xmp) ?? [];
  return digit === undefined ? undefined : oneToEight(Number(digit));
}

/** Whether data begin as EXIF do in a JPEG. */
export function isExif(data: Uint8Array): boolean {
  return [0x45, 0x78, 0x69, 0x66, 0, 0].every((byte, i) => data[i] === byte);
}

function oneToEight(value: number): number | undefined {
  return value >= 1 && value <= 8 ? value : undefined;
}
