/** The entries that have a value, for options where undefined is no value. */
export function definedOf<Values extends object>(
  values: Values,
): { [Name in keyof Values]?: Exclude<Values[Name], undefined> } {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as { [Name in keyof Values]?: Exclude<Values[Name], undefined> };
}
