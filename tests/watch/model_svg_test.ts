import { assert, assertEquals } from "@std/assert";
import {
  conv2d,
  describeModel,
  type ModelGraph,
  modelSvg,
  vgg,
} from "../../mod.ts";
import { MODELS } from "../../src/models/find_model.ts";
import { layOut } from "../../src/watch/_graph_layout.ts";

const NETWORKS = Object.entries(MODELS).map(([name, { build, imageSize }]) => ({
  name,
  described: describeModel(build({ classes: 10 }), [3, imageSize, imageSize]),
}));

Deno.test("every network's layers are placed below what they read, none upon another", () => {
  for (const { name, described } of NETWORKS) {
    const { boxes, edges, lanes } = layOut(described);
    assertEquals(
      boxes.flatMap(({ layers }) => layers.map((one) => one.name)).sort(),
      described.layers.map((one) => one.name).sort(),
      name,
    );
    const places = new Set(boxes.map(({ row, lane }) => `${row},${lane}`));
    assertEquals(places.size, boxes.length, name);
    const taken = new Set(places);
    for (const { from, to, lane } of edges) {
      const above = boxes[from]!.row, below = boxes[to]!.row;
      assert(above < below, name);
      assertEquals(lane === undefined, above + 1 === below, name);
      // What passes rows goes through no box and along no other line.
      for (let row = above + 1; row < below; row++) {
        const place = `${row},${lane}`;
        assert(!taken.has(place), `${name}: two at ${place}`);
        taken.add(place);
      }
    }
    assert(lanes <= 5, `${name} takes ${lanes} columns`);
  }
});

Deno.test("branches of an inception block stand side by side", () => {
  const { described } = NETWORKS.find(({ name }) => name === "googlenet")!;
  const { boxes } = layOut(described);
  const of = (name: string) =>
    boxes.find(({ layers }) => layers.some((one) => one.name === name))!;
  const first = [
    "branch1.conv",
    "branch2.0.conv",
    "branch3.0.conv",
    "branch4.0",
  ]
    .map((name) => of(`inception3a.${name}`));
  assertEquals(new Set(first.map(({ row }) => row)).size, 1);
  assertEquals(new Set(first.map(({ lane }) => lane)).size, 4);
  assertEquals(of("inception3a.concatenate").lane, of("maxpool2").lane);
});

Deno.test("modelSvg() is well-formed, with totals, shapes and every layer's title", () => {
  for (const { name, described } of NETWORKS) {
    const svg = modelSvg(described, { name });
    const open = [...svg.matchAll(/<(\w+)(?:[^>]*[^/])?>/g)].map(([, tag]) =>
      tag
    );
    const closed = [...svg.matchAll(/<\/(\w+)>/g)].map(([, tag]) => tag);
    assertEquals(open.sort(), closed.sort(), name);
    assert(!/NaN|undefined|Infinity/.test(svg), name);
    for (const { name: layer } of described.layers) assert(svg.includes(layer));
  }
  const svg = modelSvg(
    describeModel(vgg([8, "M"], { classes: 2 }), [3, 32, 32]),
    { name: "small" },
  );
  assert(
    svg.includes("small: 242 parameters, 221 k multiply-adds for 3 x 32 x 32"),
  );
  assert(svg.includes("conv 3x3, leaky ReLU 0.2"));
});

Deno.test("names that a file chose do not leave their places in the drawing", () => {
  const graph: ModelGraph = {
    nodes: [{
      name: '</title><script>alert("1")</script>&\u202e\n'.repeat(9),
      layer: conv2d(3, 4),
      inputs: [-1],
    }],
    output: 0,
  };
  const svg = modelSvg(describeModel(graph, [3, 8, 8]), { name: "<b>" });
  assert(!svg.includes("<script") && !svg.includes("<b>"));
  assert(!svg.includes("\u202e"));
});
