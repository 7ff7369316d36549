const TEXT = new TextDecoder();

/** Kinds by first bytes, `.` for any. */
const STARTS: readonly (readonly [start: string, kind: string])[] = [
  ["\x89PNG", "a PNG picture"],
  ["\xff\xd8\xff", "a JPEG picture"],
  ["GIF8", "a GIF picture"],
  ["RIFF....WEBP", "a WebP picture"],
  ["%PDF", "a PDF document"],
  ["\x89HDF", "an HDF5 file, as Keras writes"],
  ["\x93NUMPY", "a NumPy array"],
  ["GGUF", "a GGUF file"],
  ["....TFL3", "a TensorFlow Lite file"],
  ["version https://git-lfs", "a pointer of Git LFS; fetch the file itself"],
  ["\x1f\x8b", "a gzip archive; unpack it first"],
  ["\xfd7zXZ", "an xz archive; unpack it first"],
  ["7z\xbc\xaf", "a 7z archive; unpack it first"],
  ["BZh", "a bzip2 archive; unpack it first"],
  ["\x28\xb5\x2f\xfd", "a Zstandard archive; unpack it first"],
  ["Rar!", "a RAR archive; unpack it first"],
  ["\x7fELF", "a program"],
];

/**
 * What a file is that holds no weights, for a message: "an ONNX file". Goes by
 * its first bytes alone.
 */
export function kindOf(bytes: Uint8Array): string {
  if (bytes.length === 0) return "empty";
  const found = STARTS.find(([start]) =>
    [...start].every((character, i) =>
      character === "." || bytes[i] === character.charCodeAt(0)
    )
  );
  if (found) return found[1];
  if (ascii(bytes, 257, 262) === "ustar") {
    return "a tar archive; unpack it first";
  }
  if (isOnnx(bytes)) return "an ONNX file";
  if (bytes[0] === 0x80 && bytes[1]! >= 2 && bytes[1]! <= 5) {
    return "a pickle of something else than torch.save";
  }
  return kindOfText(bytes.subarray(0, 512)) ?? "no weights file";
}

/** ONNX has no mark: a version, then who made it, as fields 1 and 2 (or 7). */
function isOnnx(bytes: Uint8Array): boolean {
  const [tag, version, next] = bytes;
  return tag === 0x08 && version! > 0 && version! < 32 &&
    [0x12, 0x1a, 0x3a, 0x42].includes(next!);
}

function kindOfText(bytes: Uint8Array): string | undefined {
  const text = TEXT.decode(bytes).replace(/^\ufeff/, "").trimStart();
  // A character may be cut at the end.
  // deno-lint-ignore no-control-regex
  if (/[\0-\x08\x0e-\x1a\x1c-\x1f]|\ufffd(?!$)/.test(text)) return undefined;
  if (/^<(!doctype html|html|head|script)\b/i.test(text)) return "a web page";
  if (/^<\?xml\b/i.test(text)) return "an XML text";
  if (/^[[{]/.test(text)) return "a JSON text";
  return "a text";
}

function ascii(bytes: Uint8Array, begin: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(begin, end));
}
