/**
 * What is said between a page and the worker that computes its maps.
 *
 * @module
 */

import type {
  CellChoice,
  ExplainedCell,
  ExplainedPhotograph,
  GivenPhotograph,
} from "../src/watch/explaining.ts";

/** Something to compute. */
export type ExplainingQuestion =
  & { id: number; folder: string }
  & ({ photograph: GivenPhotograph } | { cell: CellChoice });

/** What came of it. */
export type ExplainingAnswer =
  & { id: number }
  & (
    | { value: ExplainedPhotograph | ExplainedCell }
    | { error: { code: string; message: string } }
  );
