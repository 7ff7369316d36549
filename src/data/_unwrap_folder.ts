import { filesIn, PICTURE, subfolders } from "./_list_folder.ts";
import { type SplitKind, splitKind } from "./_split_names.ts";

/** Folders of classes to train on. */
export function trainFolders(
  folder: string,
  names: readonly string[],
): string[] {
  return names.filter((name) =>
    splitKind(name, { prefix: true }) === "train" &&
    subfolders(`${folder}/${name}`).length > 0
  );
}

/** The one folder that holds splits, beside others without pictures. */
export function holderOf(folder: string): string {
  const top = subfolders(folder);
  if (top.some((name) => splitKind(name, { prefix: true }))) return folder;
  const holders = top.filter((name) => {
    const inside = subfolders(`${folder}/${name}`);
    return trainFolders(`${folder}/${name}`, inside).length > 0;
  });
  const others = top.filter((name) => !holders.includes(name));
  const bare = (name: string) =>
    !filesIn(`${folder}/${name}`).some((file) => PICTURE.test(file));
  return holders.length === 1 && others.every(bare)
    ? `${folder}/${holders[0]}`
    : folder;
}

/**
 * Goes into a folder that is alone in its folder and holds several others, as
 * archives have it: one class could not be learnt anyway.
 *
 * @param kind What the folder is for, whose name may come again inside.
 * @param classes Names that are classes, not wrappers.
 */
export function unwrapped(
  folder: string,
  kind?: SplitKind,
  classes: readonly { name: string }[] = [],
): string {
  for (let here = folder, depth = 0; depth < 8; depth++) {
    const inside = subfolders(here);
    const splits = inside.map((name) => splitKind(name, { prefix: true }));
    if (inside.length > 1 || splits.includes("train") && kind === undefined) {
      return here;
    }
    const [only] = inside;
    if (
      only === undefined || (splits[0] !== undefined && splits[0] !== kind) ||
      classes.some(({ name }) => name === only.normalize("NFC"))
    ) return folder;
    here = `${here}/${only}`;
    // A class's own pictures, some of them deeper.
    if (filesIn(here).some((name) => PICTURE.test(name))) return folder;
  }
  return folder;
}
