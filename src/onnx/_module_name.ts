/**
 * `/layer1/layer1.0/conv1/Conv` is what PyTorch's exporter calls the operator
 * of the module `layer1.0.conv1`.
 */
export function moduleOf(name: string): string {
  const [, ...path] = name.split("/");
  if (!name.startsWith("/")) return name.replace(/[^\w.]/g, "_");
  const scopes = path.slice(0, -1);
  const modules = scopes.filter((scope, i) =>
    !scopes[i + 1]?.startsWith(`${scope}.`)
  );
  return [...modules, ...(modules.length < 1 ? path.slice(-1) : [])]
    .join(".").replace(/[^\w.]/g, "_");
}
