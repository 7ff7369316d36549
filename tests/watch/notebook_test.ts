import { assert, assertEquals } from "@std/assert";
import { decodeImage } from "../../src/image/decode_image.ts";
import { withFolder } from "../scripts/_run_command.ts";

const NOTEBOOK = new URL("../../docs/vgg-gap-cam.ipynb", import.meta.url);

interface Cell {
  cell_type: string;
  source: string | string[];
  execution_count?: number;
  outputs?: Output[];
}

interface Output {
  output_type: string;
  data?: Record<string, string>;
}

const { cells } = JSON.parse(await Deno.readTextFile(NOTEBOOK)) as {
  cells: Cell[];
};
const code = cells.filter(({ cell_type }) => cell_type === "code");

/** The pictures that a cell shows, also those within HTML, as base 64. */
function picturesOf({ data = {} }: Output): string[] {
  const inHtml = [data["text/html"] ?? ""].flat().join("")
    .matchAll(/data:image\/png;base64,([^"]+)"/g);
  return [
    ...(data["image/png"] === undefined ? [] : [data["image/png"].trim()]),
    ...Array.from(inHtml, ([, text]) => text!),
  ];
}

Deno.test("the notebook holds what its cells came to, in their order, and less than 1 MB of pictures", async () => {
  assertEquals(
    code.map(({ execution_count }) => execution_count),
    code.map((_, i) => i + 1),
  );
  const outputs = code.flatMap(({ outputs = [] }) => outputs);
  assertEquals(
    outputs.filter(({ output_type }) => output_type === "error"),
    [],
  );
  const pictures = outputs.flatMap(picturesOf);
  assert(pictures.length >= 5, `${pictures.length} pictures`);
  const bytes = pictures.reduce((sum, { length }) => sum + length, 0);
  assert(bytes < 1e6, `${bytes} bytes of pictures`);
  for (const text of pictures) {
    const image = await decodeImage(Uint8Array.fromBase64(text));
    assert(image.width > 100 && image.height > 100);
  }
});

const python = Deno.env.get("GAPCAM_PYTHON");

Deno.test({
  name:
    "the notebook runs from top to bottom in Deno's kernel, within five minutes (needs GAPCAM_PYTHON, a Python with jupyter-client and nbformat)",
  ignore: !python,
  async fn() {
    await withFolder(async (folder) => {
      const cache = Deno.env.get("DENO_DIR") ??
        `${Deno.env.get("HOME")}/.cache/deno`;
      const env = {
        HOME: folder,
        XDG_DATA_HOME: `${folder}/data`,
        DENO_DIR: cache,
      };
      const installed = await new Deno.Command(Deno.execPath(), {
        args: ["jupyter", "--install"],
        env,
      }).output();
      assert(installed.success, new TextDecoder().decode(installed.stderr));
      const data = [`${folder}/data/jupyter`, `${folder}/.local/share/jupyter`];
      const script = new URL(
        "../../scripts/fixtures/notebook_run.py",
        import.meta.url,
      ).pathname;
      const { success, stdout, stderr } = await new Deno.Command(python!, {
        args: [script, NOTEBOOK.pathname],
        env: { ...env, JUPYTER_PATH: data.join(":") },
      }).output();
      assert(success, new TextDecoder().decode(stderr));
      const run = JSON.parse(new TextDecoder().decode(stdout)) as {
        seconds: number;
        errors: unknown[];
        cells: Cell[];
      };
      assertEquals(run.errors, []);
      assert(run.seconds < 300, `${run.seconds} seconds`);
      assertEquals(run.cells.length, code.length);
      // Without the network of others there is a picture less.
      const pictures = run.cells.flatMap(({ outputs = [] }) => outputs)
        .flatMap(picturesOf);
      assert(pictures.length >= 5, `${pictures.length} pictures`);
    });
  },
});
