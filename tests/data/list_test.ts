import { assertEquals, assertThrows } from "@std/assert";
import { encodePng, GapcamError, openFolder } from "../../mod.ts";
import { subset } from "../../src/data/subset.ts";
import { parseCsv } from "../../src/data/_parse_csv.ts";
import { temporaryFolder, write } from "./_helpers.ts";

function opened(
  text: string,
  options: { name?: string; testFraction?: number; judged?: boolean } = {},
) {
  using folder = temporaryFolder();
  const { name = "list.csv", judged = false, ...rest } = options;
  const list = `${folder.path}/${name}`;
  write(list, new TextEncoder().encode(text));
  const split = (which: "train" | "validation" | "test") => {
    using dataset = openFolder(which, list, rest);
    return {
      paths: dataset.paths.map((path) => path.replace(`${folder.path}/`, "")),
      labels: [...dataset.labels],
      classes: dataset.classes,
      notes: dataset.notes.map((note) => note.replaceAll(folder.path, "in")),
    };
  };
  return {
    train: split("train"),
    test: split("test"),
    validation: judged ? split("validation") : undefined,
  };
}

function refused(text: string, sentence: string, name = "list.csv"): void {
  using folder = temporaryFolder();
  const list = `${folder.path}/${name}`;
  write(list, new TextEncoder().encode(text));
  assertThrows(
    () => openFolder("train", list),
    GapcamError,
    `Cannot open the list of images ${list}: found ${sentence}`,
  );
}

Deno.test("parseCsv() reads quotes, both line ends and a byte order mark", () => {
  assertEquals(
    parseCsv('\ufeffa,b\r\n"x, ""y""\nz",\n\n1,2').rows,
    [
      { line: 1, values: ["a", "b"] },
      { line: 2, values: ['x, "y"\nz', ""] },
      { line: 5, values: ["1", "2"] },
    ],
  );
  assertEquals(parseCsv('a\n"b').openQuote, 2);
});

Deno.test("openFolder() takes a CSV list: classes of the training rows, going round", () => {
  const { train, test, validation } = opened(
    "label,path,note,split\n" +
      "dog,d/1.png,x,train\ndog,d/2.png,,train\ncat,/abs/3.png,,Train\n" +
      "cat,c/4.png,,test\ndog,d/5.png,,val\n",
    { judged: true },
  );
  assertEquals(train, {
    paths: ["/abs/3.png", "d/1.png", "d/2.png"],
    labels: [0, 1, 1],
    classes: ["cat", "dog"],
    notes: [],
  });
  assertEquals(test.paths, ["c/4.png"]);
  assertEquals(validation?.paths, ["d/5.png"]);
});

Deno.test("openFolder() takes JSON lines, and orders labels that are numbers", () => {
  const rows = [10, 9, 2].flatMap((label) =>
    Array.from(
      { length: 5 },
      (_, i) => JSON.stringify({ path: `${label}/${i}.png`, label }),
    )
  );
  const { train, test } = opened(rows.join("\n"), { name: "list.jsonl" });
  assertEquals(train.classes, ["2", "9", "10"]);
  assertEquals([train.paths.length, test.paths.length], [12, 3]);
  assertEquals(test.labels, [0, 1, 2]);
  assertEquals(
    train.notes,
    ["in/list.jsonl has no split to test on: 20 % of each class is tested on"],
  );
  assertEquals(
    opened(rows.join("\n"), { name: "list.jsonl", testFraction: 0.4 }).test
      .labels,
    [0, 1, 2, 0, 1, 2],
  );
});

Deno.test("openFolder() names the lines of a list that cannot be read", () => {
  refused(
    "path,label\na.png\nb.png,cat,more\n,cat\nd.png,\n",
    "1 values in line 2, 3 values in line 3, no path in line 4, no label in " +
      "line 5, expected a path and one label",
  );
  refused("file,label\n", "the columns file, label, expected path, and label");
  refused("", "the columns none, expected path, and label");
  refused("path,label\n", "no rows, expected some");
  refused('path,label\n"a.png,cat\n', "a quote in line 2 that nothing closes");
  refused(
    "path,label,split\na.png,cat,train\nb.png,cat,later\n",
    'the split "later" in line 3, expected',
  );
  refused(
    "path,label,split\na.png,cat,train\nb.png,eel,test\nc.png,emu,test\n",
    '"eel" in line 3, "emu" in line 4, expected labels that images to train ' +
      "on have too",
  );
  refused(
    '{"path":"a.png","label":["cat","dog"]}\nnonsense\nnull\n',
    "several labels in line 1, no JSON in line 2, no path in line 3, expected",
    "list.jsonl",
  );
  refused(
    '{"path":"a.png","label":"x","split":"train"}\n{"path":"b.png","label":"x"}',
    "line 2 without a split, expected one in each row",
    "list.jsonl",
  );
});

Deno.test("openFolder() decodes what a list names, and reports what is not there", async () => {
  using folder = temporaryFolder();
  for (const name of ["a", "b"]) {
    write(
      `${folder.path}/${name}.png`,
      encodePng({
        ...{ width: 4, height: 4, channels: 3 as const },
        data: new Uint8Array(48).fill(name === "a" ? 10 : 200),
      }),
    );
  }
  const list = `${folder.path}/list.csv`;
  write(
    list,
    new TextEncoder().encode(
      "path,label,split\na.png,dark,train\nb.png,light,train\n" +
        "none.png,light,train\na.png,dark,test\n",
    ),
  );
  using dataset = openFolder("train", list, { size: 4 });
  const images = new Uint8Array(3 * 48);
  await dataset.read([0, 1, 2], images);
  assertEquals([images[0], images[48], images[96]], [10, 200, 0]);
  assertEquals([...dataset.labels], [0, 1, -1]);
  assertEquals(dataset.unreadable.length, 1);
});

Deno.test("openFolder() takes several labels an image, or none, of CSV and JSON lines", () => {
  const forms = [
    [
      "list.csv",
      "path,labels,split\na.png,sun|sea,train\nb.png,,train\n" +
      "c.png,sea | sea,train\nd.png,sun,test\n",
    ],
    [
      "list.jsonl",
      '{"path":"a.png","labels":["sun","sea"],"split":"train"}\n' +
      '{"path":"b.png","labels":[],"split":"train"}\n' +
      '{"path":"c.png","labels":["sea"],"split":"train"}\n' +
      '{"path":"d.png","labels":["sun"],"split":"test"}\n',
    ],
  ] as const;
  for (const [name, text] of forms) {
    using folder = temporaryFolder();
    const list = `${folder.path}/${name}`;
    write(list, new TextEncoder().encode(text));
    using train = openFolder("train", list);
    assertEquals(train.classes, ["sea", "sun"]);
    assertEquals([...train.targets!], [1, 1, 0, 0, 1, 0]);
    assertEquals([...train.labels], [1, 0, 0]);
    using test = openFolder("test", list);
    assertEquals([...test.targets!], [0, 1]);
    assertEquals([...subset(train, [2, 0]).targets!], [1, 0, 1, 1]);
  }
  const rows = Array.from({ length: 20 }, (_, i) => `${i}.png,x|y`);
  const { train, test } = opened(`path,labels\n${rows.join("\n")}\n`);
  assertEquals([train.paths.length, test.paths.length], [16, 4]);
  assertEquals(train.notes, [
    "in/list.csv has no split to test on: 20 % of its images is tested on",
  ]);
});

Deno.test("openFolder() names what is wrong with several labels, by line", () => {
  refused(
    "path,labels,split\na.png,sun,train\nb.png,sun|moon,test\n",
    '"moon" in line 3, expected labels that images to train on have too',
  );
  refused(
    "path,label,labels\na.png,sun,sun\n",
    "the columns path, label, labels, expected path, and label or labels,",
  );
  refused(
    '{"path":"a.png","labels":["sun"]}\n{"path":"b.png","labels":"sun"}\n' +
      '{"path":"c.png","labels":[7,null]}\n',
    "no list of labels in line 2, no list of labels in line 3, expected a " +
      "path and a list of labels",
    "list.jsonl",
  );
});
