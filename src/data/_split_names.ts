/** What a folder is for, by its name. */
export type SplitKind = "train" | "test" | "validation";

const KINDS: readonly (readonly [SplitKind, string])[] = [
  ["train", "train|training"],
  ["test", "test|testing|eval|evaluation|holdout"],
  ["validation", "val|valid|validate|validation|dev|development"],
];

const SUFFIX = "_?(set|data|dataset|images|imgs|split|folder)";

/**
 * What a folder is for, in whatever case: `train`, `Training`, `test_set`,
 * `val`.
 *
 * @param options `prefix`: whether something may stand before, as in
 * `seg_train` or `pets-test`. Default: false.
 */
export function splitKind(
  name: string,
  options: { prefix?: boolean } = {},
): SplitKind | undefined {
  const joined = name.toLowerCase().replace(/[^a-z0-9]+/g, "_")
    .replace(/^_|_$/g, "");
  const before = options.prefix ? "(.+_)?" : "";
  return KINDS.find(([, words]) =>
    new RegExp(`^${before}(${words})(${SUFFIX})?$`).test(joined)
  )?.[0];
}

/** Names of the one folder that holds images without labels, as ImageFolder wants it. */
export function saysUnlabelled(name: string): boolean {
  return /^(un(known|labell?ed|classified|sorted)|images?|imgs?|all|data|0)$/i
    .test(name) || splitKind(name) !== undefined;
}
