import { assertEquals } from "@std/assert";

/** A tensor of floats. */
export interface FloatTensor {
  shape: number[];
  data: Float32Array;
}

/**
 * Runs an ONNX file's bytes on an image in ONNX Runtime.
 *
 * @param model A file with input `image` and outputs `logits` and `features`.
 * @param image Normalised pixels, [N, C, H, W].
 */
export async function runOnnx(
  model: Uint8Array,
  image: { shape: readonly number[]; data: Float32Array },
): Promise<{ logits: FloatTensor; features: FloatTensor }> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/model.onnx`, model);
    const { buffer, byteOffset, byteLength } = image.data;
    await Deno.writeFile(
      `${folder}/image`,
      new Uint8Array(buffer, byteOffset, byteLength),
    );
    const here = (name: string) => new URL(name, import.meta.url).pathname;
    const child = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--allow-all",
        `--lock=${here("_onnx.lock")}`,
        "--frozen",
        here("_onnx_child.ts"),
        `${folder}/model.onnx`,
        JSON.stringify(image.shape),
        `${folder}/image`,
      ],
      stdout: "piped",
      stderr: "piped",
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assertEquals(child.code, 0, text(child.stderr));
    const { inputNames, outputs } = JSON.parse(text(child.stdout));
    assertEquals(inputNames, ["image"]);
    assertEquals(
      outputs.map(({ name }: { name: string }) => name),
      ["logits", "features"],
    );
    const [logits, features] = outputs.map((
      output: { shape: number[]; data: number[] },
    ) => ({ shape: output.shape, data: Float32Array.from(output.data) }));
    return { logits, features };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
