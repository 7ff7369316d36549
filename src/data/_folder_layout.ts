import { GapcamError } from "../error.ts";
import { compare, filesIn, PICTURE, subfolders } from "./_list_folder.ts";
import { holderOf, trainFolders, unwrapped } from "./_unwrap_folder.ts";
import { saysUnlabelled, type SplitKind, splitKind } from "./_split_names.ts";

/** A class, and the folders that hold its images. */
export interface ClassFolder {
  /** In Unicode's composed form (NFC): a Mac's archive has the other. */
  name: string;
  /** Paths; several where one name is written in two forms. */
  folders: string[];
}

/** Where the images of each class are. */
export interface FolderLayout {
  /** What holds the classes, for messages. */
  root: string;
  /** Sorted by name. */
  classes: ClassFolder[];
  /**
   * What to test on, in the order of `classes`, some perhaps without folders;
   * undefined where a part of `classes` is for testing.
   */
  test: ClassFolder[] | undefined;
  /** What to validate on, likewise; undefined where there is no such split. */
  validation: ClassFolder[] | undefined;
  /** What was taken for what, where a user might have meant something else. */
  notes: string[];
}

/** Finds splits and classes in a folder of pictures; see `openFolder()`. */
export function folderLayout(
  given: string,
  options: { testFraction?: number },
): FolderLayout {
  const layout = layoutOf(given, options);
  return { ...layout, notes: [...layout.notes, ...oddities(layout)] };
}

/** What is likely a mistake, but might be meant. */
function oddities({ root, classes }: FolderLayout): string[] {
  const notes: string[] = [];
  const loose = filesIn(root).filter((name) => PICTURE.test(name));
  if (loose.length > 0) {
    notes.push(
      `${root} holds pictures beside the folders of classes, such as ` +
        `${loose[0]}: not used`,
    );
  }
  const folded = new Map<string, string>();
  for (const { name } of classes) {
    const other = folded.get(name.toLowerCase());
    if (other) notes.push(`${list([other, name])} are two classes`);
    folded.set(name.toLowerCase(), name);
  }
  return notes;
}

function layoutOf(
  given: string,
  options: { testFraction?: number },
): FolderLayout {
  const folder = holderOf(unwrapped(given));
  const top = subfolders(folder);
  const train = trainFolders(folder, top);
  if (train.length > 1) {
    fail(folder, `${list(train)}, all to train on`, "one");
  }
  if (train.length === 0) return withoutSplits(folder, top, options);
  const root = unwrapped(`${folder}/${train[0]}`, "train");
  const classes = classesOf(root);
  const ofKind = (kind: SplitKind | undefined) =>
    top.filter((name) => splitKind(name, { prefix: true }) === kind);
  const notes = ofKind(undefined).map((name) =>
    `${folder}/${name} is not used: it is no split`
  );
  let test: ClassFolder[] | undefined;
  let validation: ClassFolder[] | undefined;
  let chosen: string | undefined;
  let validated: string | undefined;
  for (const name of [...ofKind("test"), ...ofKind("validation")]) {
    const kind = splitKind(name, { prefix: true });
    const second = chosen === undefined
      ? undefined
      : kind === "test" || splitKind(chosen, { prefix: true }) !== "test"
      ? `${chosen} is tested on`
      : validated && `${validated} is validated on`;
    if (second !== undefined) {
      notes.push(`${folder}/${name} is not used: ${second}`);
      continue;
    }
    const path = unwrapped(`${folder}/${name}`, kind, classes);
    const found = matching(classes, path, root, options);
    if (found === undefined) {
      notes.push(`${folder}/${name} holds no folders of classes: not used`);
    } else if (chosen !== undefined) {
      [validation, validated] = [found, name];
      notes.push(`${folder}/${name} is validated on`);
    } else {
      [test, chosen] = [found, name];
      if (kind !== "test") {
        notes.push(`${folder}/${name} is tested on`);
      }
    }
  }
  if (chosen !== undefined && options.testFraction !== undefined) {
    fail(
      folder,
      `a split of its own to test on (${chosen})`,
      "none with a test fraction",
    );
  }
  if (test === undefined) notes.push(partOf(root, options.testFraction));
  return { root, classes, test, validation, notes };
}

/** Classes without splits around them; perhaps with splits in each. */
function withoutSplits(
  folder: string,
  top: readonly string[],
  options: { testFraction?: number },
): FolderLayout {
  const splits = top.filter((name) => splitKind(name) !== undefined);
  const kinds = new Set(splits.map((name) => splitKind(name)));
  const lone = splits.find((name) =>
    splitKind(name) === "test" || subfolders(`${folder}/${name}`).length > 0
  );
  if (kinds.size > 1 || splits.length === top.length && splits.length > 0) {
    fail(
      folder,
      `the ${splits.length === 1 ? "folder" : "folders"} ${
        list(splits)
      } without folders of classes to train on`,
      "train/CLASS and test/CLASS, or a folder for each class",
    );
  }
  if (lone !== undefined) {
    fail(folder, `a folder ${lone} but none to train on`, "both");
  }
  const classes = classesOf(folder);
  const notes = splits.map((name) => `${folder}/${name} is taken for a class`);
  const inside = splitsInClasses(folder, classes);
  if (inside) {
    if (options.testFraction !== undefined) {
      fail(
        folder,
        "a split of its own to test on in each class",
        "none with a test fraction",
      );
    }
    return { root: folder, ...inside, notes };
  }
  const none = { test: undefined, validation: undefined };
  return { root: folder, classes, ...none, notes };
}

/** `CLASS/train` and `CLASS/test`, where every class has both. */
function splitsInClasses(
  folder: string,
  classes: readonly ClassFolder[],
): Pick<FolderLayout, "classes" | "test" | "validation"> | undefined {
  const within = (kinds: readonly SplitKind[]) =>
    classes.map(({ name, folders }) => ({
      name,
      folders: folders.flatMap((path) =>
        subfolders(path)
          .filter((inner) => kinds.includes(splitKind(inner)!))
          .map((inner) => `${path}/${inner}`)
      ),
    }));
  const train = within(["train"]);
  if (train.every(({ folders }) => folders.length === 0)) return undefined;
  const tests = within(["test"]);
  const others = within(["validation"]);
  const given = (found: ClassFolder[]) =>
    found.some(({ folders }) => folders.length > 0);
  const test = given(tests) ? tests : others;
  const validation = test === tests && given(others) ? others : undefined;
  for (const found of [train, test, ...(validation ? [validation] : [])]) {
    const lacking = found.find(({ folders }) => folders.length !== 1);
    if (lacking === undefined) continue;
    fail(
      `${folder}/${lacking.name}`,
      "other folders in it than in its neighbours",
      "train and test in each class, or in none",
    );
  }
  return { classes: train, test, validation };
}

/**
 * The folders of known classes in a split to test on; undefined if it holds
 * none of them because its images have no labels.
 */
function matching(
  classes: readonly ClassFolder[],
  folder: string,
  trainRoot: string,
  options: { testFraction?: number },
): ClassFolder[] | undefined {
  const found = subfolders(folder).length === 0 ? [] : classesOf(folder);
  const taken = new Set<ClassFolder>();
  const test = classes.map(({ name }) => {
    const same = found.find((other) => other.name === name) ??
      alone(found, name, classes);
    if (same) taken.add(same);
    return { name, folders: same?.folders ?? [] };
  });
  const extra = found.find((other) => !taken.has(other));
  if (extra === undefined) return taken.size > 0 ? test : undefined;
  const unlabelled = found.length === 1 && saysUnlabelled(extra.name);
  // Whoever asks for a part of the training images has no use for these.
  const unwanted = options.testFraction !== undefined;
  if (taken.size === 0 && (unlabelled || unwanted)) return undefined;
  fail(
    folder,
    `the class ${JSON.stringify(extra.name)}, which is not in ${trainRoot}`,
    "the same classes",
  );
}

/** The only class whose name differs from `name` in case alone. */
function alone(
  found: readonly ClassFolder[],
  name: string,
  classes: readonly ClassFolder[],
): ClassFolder | undefined {
  const same = (other: ClassFolder) =>
    other.name.toLowerCase() === name.toLowerCase();
  const matches = found.filter(same);
  return classes.filter(same).length === 1 && matches.length === 1
    ? matches[0]
    : undefined;
}

function classesOf(folder: string): ClassFolder[] {
  const classes = new Map<string, ClassFolder>();
  for (const raw of subfolders(folder)) {
    const name = raw.normalize("NFC");
    const known = classes.get(name) ?? { name, folders: [] };
    known.folders.push(`${folder}/${raw}`);
    classes.set(name, known);
  }
  if (classes.size === 0) {
    fail(folder, "no folders", "one for each class, with pictures in it");
  }
  return [...classes.values()].sort((a, b) => compare(a.name, b.name));
}

function partOf(root: string, fraction = 0.2): string {
  return `${root} has no split beside it to test on: ${
    Number((100 * fraction).toPrecision(3))
  } % of each class is tested on`;
}

function list(names: readonly string[]): string {
  return names.map((name) => JSON.stringify(name)).join(" and ");
}

/** Says what is wrong with a folder of pictures. */
export function fail(folder: string, found: string, expected: string): never {
  throw new GapcamError(
    "bad-data",
    `Cannot open the image folder ${folder}: found ${found}, expected ` +
      expected,
  );
}
