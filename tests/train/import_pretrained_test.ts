import { assertEquals, assertThrows } from "@std/assert";
import { GapcamError, importPretrained, initialise } from "../../mod.ts";
import { nodeCrypto } from "../../src/_node.ts";
import { MODELS, PRETRAINED } from "../../src/models/mod.ts";
import { describedWeights } from "../../src/train/imported_weights.ts";
import { layOutZip } from "../../src/weights/_zip_write.ts";
import { encodePytorch } from "../../src/weights/mod.ts";

const network = PRETRAINED["efficientnet-lite1"]!;

/** A package such as the real one, its checksum, and what is in it. */
function madeUp() {
  const model = MODELS[network.model]!.build({ classes: 1000 });
  const state = initialise(model, 5);
  const file = encodePytorch(state);
  const wheel = new Blob(
    layOutZip([["other.txt", new Uint8Array(3)], [network.file, file]])
      .map((piece) => new Uint8Array(piece)),
  );
  const md5 = nodeCrypto().createHash("md5").update(file).digest("hex");
  return { state, file, wheel, md5 };
}

Deno.test("importPretrained() takes a package or its file, with ImageNet's classes and the network's own preprocessing", async () => {
  const { state, file, wheel, md5 } = madeUp();
  for (const bytes of [await wheel.bytes(), file]) {
    const imported = importPretrained({ ...network, md5 }, bytes);
    assertEquals(imported.assumed, []);
    const described = describedWeights(imported.metadata)!;
    assertEquals(described.classes!.length, 1000);
    assertEquals(described.classes![967], "espresso");
    assertEquals(described.imageSize, 240);
    assertEquals(described.interpolation, "bicubic");
    assertEquals(described.cropShare, 240 / 272);
    assertEquals(described.mean, Array(3).fill(127 / 255));
    assertEquals(described.deviation, Array(3).fill(128 / 255));
    const name = "_blocks.3._depthwise_conv.weight";
    assertEquals(imported.tensors.get(name)!.data, state.get(name)!.data);
  }
});

Deno.test("importPretrained() refuses what is not the published file, and packages without it", async () => {
  const { file, wheel } = madeUp();
  const page = new TextEncoder().encode("<!doctype html><title>no</title>");
  const other = new Blob(
    layOutZip([["other.txt", new Uint8Array(3)]])
      .map((piece) => new Uint8Array(piece)),
  );
  for (
    const [bytes, message] of [
      [await wheel.bytes(), `expected ${network.md5}`],
      [file, `it is an archive without ${network.file}`],
      [page, "it is a web page"],
      [await other.bytes(), `it is an archive without ${network.file}`],
      [(await wheel.bytes()).subarray(0, 5000), "it is no weights file"],
    ] as const
  ) {
    assertThrows(
      () => importPretrained(network, bytes),
      GapcamError,
      message,
    );
  }
});
