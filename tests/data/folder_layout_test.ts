import { assert, assertEquals, assertThrows } from "@std/assert";
import { openFolder } from "../../src/data/folder.ts";
import { splitKind } from "../../src/data/_split_names.ts";
import { GapcamError } from "../../src/error.ts";
import { temporaryFolder, write } from "./_helpers.ts";

/** Makes files; what is in them does not matter for where they belong. */
function touch(folder: string, paths: readonly string[]): void {
  for (const path of paths) write(`${folder}/${path}`, new Uint8Array());
}

/** `count` files in a folder. */
function files(folder: string, count = 5): string[] {
  return Array.from({ length: count }, (_, i) => `${folder}/${i}.png`);
}

/** What a folder of pictures is taken for. */
function opened(
  folder: string,
  options: { testFraction?: number } = {},
) {
  using train = openFolder("train", folder, options);
  using test = openFolder("test", folder, options);
  const relative = (paths: readonly string[]) =>
    paths.map((path) => path.slice(folder.length + 1));
  return {
    classes: train.classes,
    train: relative(train.paths),
    test: relative(test.paths),
    testLabels: [...test.labels],
    notes: train.notes.map((note) => note.replaceAll(folder, "in")),
  };
}

const CLASSES = (split: string, count = 5) => [
  ...files(`${split}/a`, count),
  ...files(`${split}/b`, count),
];

Deno.test("splitKind() knows names of splits in any case, and no others", () => {
  const names = {
    train: [
      "train",
      "Train",
      "TRAINING",
      "train_set",
      "TrainSet",
      "training-set",
    ],
    test: ["test", "Test", "TESTING", "test_set", "test images", "eval"],
    validation: ["val", "VAL", "valid", "Validation", "dev", "val-set"],
  } as const;
  for (const [kind, all] of Object.entries(names)) {
    for (const name of all) assertEquals(splitKind(name), kind, name);
  }
  for (const name of ["trains", "cat", "tested", "valley", "2", "seg_train"]) {
    assertEquals(splitKind(name), undefined, name);
  }
  assertEquals(splitKind("seg_train", { prefix: true }), "train");
  assertEquals(splitKind("Pets-Test", { prefix: true }), "test");
});

Deno.test("openFolder() takes Train and Test, and their kin, for splits", () => {
  for (
    const [train, test] of [
      ["Train", "Test"],
      ["TRAIN", "TEST"],
      ["training", "testing"],
      ["training_set", "test_set"],
      ["seg_train/seg_train", "seg_test/seg_test"],
    ] as const
  ) {
    using folder = temporaryFolder();
    touch(folder.path, [...CLASSES(train), ...CLASSES(test, 2)]);
    const found = opened(folder.path);
    assertEquals(found.classes, ["a", "b"], train);
    assertEquals(found.train.length, 10);
    assertEquals(found.test.length, 4);
    assert(found.test.every((path) => path.startsWith(test)), test);
    assertEquals(found.notes, []);
  }
});

Deno.test("openFolder() tests on a validation split where there is no other", () => {
  for (const name of ["val", "VAL", "valid", "validation", "dev"]) {
    using folder = temporaryFolder();
    touch(folder.path, [...CLASSES("train"), ...CLASSES(name, 1)]);
    const found = opened(folder.path);
    assertEquals(found.classes, ["a", "b"]);
    assertEquals(found.train.length, 10);
    assertEquals(found.test, [`${name}/a/0.png`, `${name}/b/0.png`]);
    assertEquals(found.notes, [`in/${name} is tested on`]);
  }
});

Deno.test("openFolder() validates on a validation split where there is a test split, and says so", () => {
  using folder = temporaryFolder();
  touch(folder.path, [
    ...CLASSES("train"),
    ...CLASSES("val", 1),
    ...CLASSES("test", 2),
  ]);
  const found = opened(folder.path);
  assertEquals(found.test.length, 4);
  assert(found.test.every((path) => path.startsWith("test/")));
  assertEquals(found.notes, ["in/val is validated on"]);
  using validation = openFolder("validation", folder.path);
  assertEquals([...validation.labels], [0, 1]);
  assertEquals(validation.split, "validation");
  touch(folder.path, CLASSES("dev", 1));
  assertEquals(
    opened(folder.path).notes,
    [
      "in/val is not used: dev is validated on",
      "in/dev is validated on",
    ].sort(),
  );
});

Deno.test("openFolder() validates on CLASS/val beside CLASS/train and CLASS/test", () => {
  using folder = temporaryFolder();
  for (const name of ["a", "b"]) {
    touch(folder.path, [
      ...files(`${name}/train`, 3),
      ...files(`${name}/val`, 2),
      ...files(`${name}/test`, 1),
    ]);
  }
  using validation = openFolder("validation", folder.path);
  assertEquals(validation.paths.map((path) => path.split("/").at(-2)), [
    "val",
    "val",
    "val",
    "val",
  ]);
});

Deno.test("openFolder() has no validation split where it is tested on, or where there is none", () => {
  using folder = temporaryFolder();
  touch(folder.path, [...CLASSES("train"), ...CLASSES("val", 1)]);
  assertThrows(
    () => openFolder("validation", folder.path),
    GapcamError,
    "found no split for validation, expected val beside train and test",
  );
});

Deno.test("openFolder() does not test on images without labels", () => {
  for (const flat of ["test", "Test", "test/unknown", "test/images"]) {
    for (const val of [true, false]) {
      using folder = temporaryFolder();
      touch(folder.path, [
        ...CLASSES("train"),
        ...files(flat),
        ...(val ? CLASSES("val", 1) : []),
      ]);
      const found = opened(folder.path);
      assertEquals(found.classes, ["a", "b"]);
      assertEquals(found.train.length, val ? 10 : 8);
      assertEquals(found.test.length, 2);
      assert(
        found.test.every((path) => path.startsWith(val ? "val/" : "train/")),
      );
      assertEquals(
        found.notes[0],
        `in/${flat.slice(0, 4)} holds no folders of classes: not used`,
      );
      if (val) continue;
      assertEquals(opened(folder.path, { testFraction: 0.4 }).test.length, 4);
    }
  }
});

Deno.test("openFolder() tests on a part of train where there is nothing else", () => {
  using folder = temporaryFolder();
  touch(folder.path, CLASSES("train"));
  const found = opened(folder.path);
  assertEquals([found.train.length, found.test.length], [8, 2]);
  assertEquals(found.notes, [
    "in/train has no split beside it to test on: 20 % of each class is " +
    "tested on",
  ]);
  assertEquals(opened(folder.path, { testFraction: 0.6 }).train.length, 4);
});

Deno.test("openFolder() takes the forms of a name in Unicode for one class", () => {
  const composed = "caf\u00e9", decomposed = "cafe\u0301";
  using folder = temporaryFolder();
  touch(folder.path, [
    `train/${composed}/1.png`,
    `train/${decomposed}/2.png`,
    "train/b/3.png",
    `test/${decomposed}/4.png`,
    "test/b/5.png",
  ]);
  const found = opened(folder.path);
  assertEquals(found.classes, ["b", composed]);
  assertEquals(found.train.length, 3);
  assertEquals(found.testLabels, [0, 1]);
});

Deno.test("openFolder() splits by the same hash whatever form names are written in", () => {
  const chosen = ["\u00e9", "e\u0301"].map((letter) => {
    using folder = temporaryFolder();
    touch(
      folder.path,
      ["a", "b"].flatMap((name) =>
        Array.from({ length: 9 }, (_, i) => `${name}/${i}${letter}.png`)
      ),
    );
    return opened(folder.path).test.map((path) => path.normalize("NFC"));
  });
  assertEquals(chosen[0], chosen[1]);
});

Deno.test("openFolder() matches classes that differ in case between splits", () => {
  using folder = temporaryFolder();
  touch(folder.path, [
    ...CLASSES("train"),
    ...files("test/A"),
    ...files("test/b"),
  ]);
  assertEquals(opened(folder.path).test.length, 10);
});

Deno.test("openFolder() leaves out what systems put beside pictures", () => {
  using folder = temporaryFolder();
  touch(folder.path, [
    ...files("a"),
    ...files("b"),
    "__MACOSX/a/._1.png",
    "__MACOSX/a/1.png",
    "@eaDir/a/1.png",
    "a/@eaDir/thumb.png",
    ".ipynb_checkpoints/1.png",
    "a/.ipynb_checkpoints/1.png",
    "a/Thumbs.db",
    "a/.DS_Store",
    ".DS_Store",
    "lost+found/x",
  ]);
  const found = opened(folder.path);
  assertEquals(found.classes, ["a", "b"]);
  assertEquals(found.train.length + found.test.length, 10);
});

Deno.test("openFolder() goes into the one folder that an archive holds", () => {
  using folder = temporaryFolder();
  touch(folder.path, [
    ...CLASSES("pets/pets/Training"),
    ...CLASSES("pets/pets/Test", 1),
    "__MACOSX/pets/._x.png",
  ]);
  assertEquals(opened(folder.path).classes, ["a", "b"]);
  using plain = temporaryFolder();
  touch(plain.path, CLASSES("pets"));
  assertEquals(opened(plain.path).classes, ["a", "b"]);
  // A class's own folders are no classes.
  using one = temporaryFolder();
  touch(one.path, ["cat/0.png", ...files("cat/tabby"), ...files("cat/siam")]);
  assertEquals(opened(one.path).classes, ["cat"]);
});

Deno.test("openFolder() finds splits beside folders without pictures, and says what it leaves out", () => {
  using folder = temporaryFolder();
  touch(folder.path, [
    ...CLASSES("images/train"),
    ...CLASSES("images/val", 1),
    ...files("images/predict"),
    "annotations/a.xml",
    "labels.csv",
  ]);
  const found = opened(folder.path);
  assertEquals(found.classes, ["a", "b"]);
  assertEquals(found.test, ["images/val/a/0.png", "images/val/b/0.png"]);
  assertEquals(found.notes, [
    "in/images/predict is not used: it is no split",
    "in/images/val is tested on",
  ]);
});

Deno.test("openFolder() says what is likely a mistake", () => {
  using folder = temporaryFolder();
  touch(folder.path, [
    ...files("cat"),
    ...files("Cat"),
    ...files("b"),
    "x.png",
  ]);
  assertEquals(opened(folder.path).notes, [
    "in holds pictures beside the folders of classes, such as x.png: not used",
    '"Cat" and "cat" are two classes',
  ]);
});

Deno.test("openFolder() takes splits inside of classes", () => {
  using folder = temporaryFolder();
  touch(
    folder.path,
    ["a", "b"].flatMap((name) => [
      ...files(`${name}/Train`, 3),
      ...files(`${name}/Test`, 2),
    ]),
  );
  const found = opened(folder.path);
  assertEquals(found.classes, ["a", "b"]);
  assertEquals([found.train.length, found.test.length], [6, 4]);
  assert(found.train.every((path) => path.includes("/Train/")));
  touch(folder.path, files("c/Train"));
  assertThrows(() => opened(folder.path), GapcamError, "found other folders");
});

Deno.test("openFolder() takes a class that is called train for one, and says so", () => {
  using folder = temporaryFolder();
  touch(folder.path, [...files("bus"), ...files("car"), ...files("train")]);
  const found = opened(folder.path);
  assertEquals(found.classes, ["bus", "car", "train"]);
  assertEquals(found.notes, ["in/train is taken for a class"]);
});

Deno.test("openFolder() never makes classes of folders of splits", () => {
  const cases: [string[], string][] = [
    [
      [...files("Train"), ...files("Test")],
      'the folders "Test" and "Train" without folders of classes',
    ],
    [
      [...files("train"), ...files("valid")],
      "without folders of classes to train on, expected train/CLASS",
    ],
    [files("train"), 'the folder "train" without folders of classes'],
    [
      [...CLASSES("test"), ...files("other")],
      "a folder test but none to train",
    ],
    [[...files("test"), ...files("other")], "a folder test but none to train"],
    [[...CLASSES("train"), ...CLASSES("training")], "all to train on"],
  ];
  for (const [paths, message] of cases) {
    using folder = temporaryFolder();
    touch(folder.path, paths);
    assertThrows(() => opened(folder.path), GapcamError, message);
  }
});

Deno.test("openFolder() names the class that lacks pictures, and what is there instead", () => {
  using folder = temporaryFolder();
  touch(folder.path, [...files("a"), "b/notes.txt"]);
  assertThrows(
    () => opened(folder.path),
    GapcamError,
    'b: found no picture for the class "b", expected some, or no such folder',
  );
  touch(folder.path, ["b/old.heic"]);
  assertThrows(
    () => opened(folder.path),
    GapcamError,
    'found no picture of a kind that is read (old.heic) for the class "b"',
  );
});

Deno.test("openFolder() lists a file that cannot be read in one split alone", () => {
  using folder = temporaryFolder();
  touch(folder.path, [
    ...files("a"),
    ...files("b"),
    ...Array.from({ length: 9 }, (_, i) => `a/${i}.heic`),
  ]);
  using train = openFolder("train", folder.path);
  using test = openFolder("test", folder.path);
  assertEquals([train.unreadable.length, test.unreadable.length], [7, 2]);
  const all = [...train.unreadable, ...test.unreadable];
  assertEquals(new Set(all.map(({ path }) => path)).size, 9);
});

Deno.test("openFolder() goes once into folders that link to each other, however many paths there are", () => {
  using folder = temporaryFolder();
  touch(folder.path, [...files("a"), ...files("b")]);
  const count = 12;
  for (let i = 0; i < count; i++) {
    touch(folder.path, [`a/d${i}/x.png`]);
    for (let j = 0; j < count; j++) {
      if (i === j) continue;
      Deno.symlinkSync(`../d${j}`, `${folder.path}/a/d${i}/l${j}`);
    }
  }
  const { train, test } = opened(folder.path);
  const found = [...train, ...test].filter((path) => path.startsWith("a/"));
  assertEquals(found.length, 5 + count);
});

Deno.test("openFolder() reads folders that lie a thousand deep", () => {
  using folder = temporaryFolder();
  touch(folder.path, [...files("a"), ...files("b")]);
  const deep = `${folder.path}/a${"/d".repeat(1000)}`;
  Deno.mkdirSync(deep, { recursive: true });
  write(`${deep}/x.png`, new Uint8Array());
  using dataset = openFolder("train", folder.path, { testFraction: 0.01 });
  assert(dataset.paths.some((path) => path.endsWith("/d/d/x.png")));
});
