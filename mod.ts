export * from "./src/error.ts";
export type { Dataset } from "./src/data/dataset.ts";
