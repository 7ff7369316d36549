import { assertEquals, assertThrows } from "@std/assert";
import {
  conv2d,
  GapcamError,
  globalAveragePool,
  graphOf,
  linear,
  type ModelGraph,
  relu,
  sequential,
  vgg,
} from "../../mod.ts";
import { classifierOf, lastMapOf } from "../../src/nn/classifier_of.ts";
import { parseModel } from "../../src/nn/parse_model.ts";

Deno.test("graphOf() chains the layers of a sequence", () => {
  const { nodes, output } = graphOf(sequential([
    sequential({ a: relu(), b: relu() }),
    relu(),
  ]));
  assertEquals(nodes.map(({ name, inputs }) => [name, inputs]), [
    ["0.a", [-1]],
    ["0.b", [0]],
    ["1", [1]],
  ]);
  assertEquals(output, 2);
});

const node = (name: string, ...inputs: number[]) => ({
  name,
  inputs,
  layer: relu(),
});

const WRONG: [string, ModelGraph, string][] = [
  [
    "a cycle",
    { nodes: [node("a", 1), node("b", 0)], output: 1 },
    [
      "a reads b, which does not come before it",
    ].join(),
  ],
  [
    "a node that reads itself",
    { nodes: [node("a", 0)], output: 0 },
    [
      "a reads a, which does not come before it",
    ].join(),
  ],
  [
    "an input that does not exist",
    { nodes: [node("a", 7)], output: 0 },
    "a reads node 7, which does not exist",
  ],
  [
    "an input before the image",
    { nodes: [node("a", -2)], output: 0 },
    "a reads node -2, which does not exist",
  ],
  [
    "a node that reads nothing",
    { nodes: [node("a")], output: 0 },
    "a reads nothing",
  ],
  [
    "a name that comes twice",
    { nodes: [node("a", -1), node("a", 0)], output: 1 },
    "two layers are called a",
  ],
  [
    "an output that does not exist",
    { nodes: [node("a", -1)], output: 1 },
    "its output is node 1, which does not exist",
  ],
];

for (const [what, graph, problem] of WRONG) {
  Deno.test(`graphOf() refuses ${what}`, () => {
    const error = assertThrows(() => graphOf(graph), GapcamError);
    assertEquals(
      error.message,
      `Cannot build the model's graph: ${problem}`,
    );
  });
}

Deno.test("classifierOf() finds the pool that feeds the linear layer", () => {
  const graph = graphOf(vgg([4, "M", 8], { classes: 3 }));
  const found = classifierOf(graph);
  assertEquals([found?.linear?.name, found?.features], ["classifier", 4]);
  assertEquals(lastMapOf(graph), 4);
  assertEquals(classifierOf(sequential([conv2d(1, 1), relu()])), undefined);
  assertEquals(classifierOf(linear(2, 2)), undefined);
  assertEquals(lastMapOf(graphOf(globalAveragePool())), -1);
});

Deno.test("parseModel() gives back layers and graphs, and nothing else", () => {
  const layers = vgg([4, "M", 8], { classes: 3, batchNorm: true });
  for (const model of [layers, graphOf(layers)]) {
    assertEquals(parseModel(JSON.parse(JSON.stringify(model))), model);
  }
  for (
    const json of [
      null,
      {},
      { kind: "conv2d" },
      { kind: "constructor" },
      { nodes: [], output: 0 },
      { nodes: [{ name: "a", inputs: [0.5], layer: relu() }], output: 0 },
      { nodes: [{ name: "a", inputs: [0], layer: relu() }], output: 0 },
      { nodes: [null], output: 0 },
      {
        kind: "sequential",
        layers: [["b", relu()], ["c", relu()], ["b", relu()]],
      },
    ]
  ) assertThrows(() => parseModel(json), GapcamError);
});
