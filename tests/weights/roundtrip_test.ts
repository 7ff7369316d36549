import { assert, assertStringIncludes } from "@std/assert";

const python = Deno.env.get("GAPCAM_PYTHON");

Deno.test({
  name:
    "networks survive the way through PyTorch, torchvision and ONNX and back (needs GAPCAM_PYTHON, a Python with torch, torchvision, safetensors and onnx)",
  ignore: !python,
  async fn() {
    const script = new URL(
      "../../scripts/fixtures/weights_roundtrip.py",
      import.meta.url,
    ).pathname;
    const { success, stdout, stderr } = await new Deno.Command(python!, {
      args: [script],
      env: { OMP_NUM_THREADS: "1" },
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    assertStringIncludes(
      new TextDecoder().decode(stdout),
      "all within 0.0001",
    );
  },
});
