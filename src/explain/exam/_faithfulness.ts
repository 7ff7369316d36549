import { confidenceChange } from "./confidence_change.ts";
import type { ExamineChoice } from "./examine_options.ts";
import { insertionDeletion } from "./insertion_deletion.ts";
import type { MeasureName } from "./measures.ts";
import type { MethodRecord } from "./_method_record.ts";
import type { Probe, Probed, ProbeSubject } from "./probe.ts";
import { road } from "./road.ts";

/** What was measured of one map, to be added to a method's record. */
interface Found {
  addTo(record: MethodRecord): void;
}

/** All measures of faithfulness that were chosen, their inputs in one list. */
export function faithfulnessOf(
  subject: ProbeSubject,
  { choice, index }: { choice: ExamineChoice; index: number },
): Probed<Found> {
  const parts: Probed<Found>[] = [];
  const wants = (...names: MeasureName[]) =>
    names.some((name) => choice.measures.has(name));
  if (wants("insertion", "deletion")) {
    const { probes, result } = insertionDeletion(subject, choice);
    parts.push({
      probes,
      result: (scores) => {
        const curves = result(scores);
        return {
          addTo: (record) => {
            record.addCurves(curves);
            record.add("insertion", curves.insertionArea);
            record.add("deletion", curves.deletionArea);
          },
        };
      },
    });
  }
  if (wants("drop", "increase")) {
    const { probes, result } = confidenceChange(subject);
    parts.push({
      probes,
      result: (scores) => {
        const { drop, increase } = result(scores);
        return {
          addTo: (record) => {
            record.add("drop", drop);
            record.add("increase", increase);
          },
        };
      },
    });
  }
  if (wants("road")) {
    const { percentiles, noise } = choice;
    const { probes, result } = road(subject, {
      percentiles,
      noise,
      // The same noise for every method.
      seed: choice.seed + 2 ** 32 * index,
    });
    parts.push({
      probes,
      result: (scores) => {
        const { combined, mostFirst, leastFirst } = result(scores);
        return {
          addTo: (record) => {
            record.add("road", combined);
            record.add("road-morf", mostFirst);
            record.add("road-lerf", leastFirst);
          },
        };
      },
    });
  }
  return joined(parts);
}

/** Several measures as one. */
function joined(parts: readonly Probed<Found>[]): Probed<Found> {
  const probes: Probe[] = parts.flatMap((part) => part.probes);
  return {
    probes,
    result: (scores) => {
      let at = 0;
      const all = parts.map((part) => {
        const own = Array.from(
          part.probes,
          (_, i) => scores[at + i]!,
        );
        at += own.length;
        return part.result(own);
      });
      return { addTo: (record) => all.forEach((one) => one.addTo(record)) };
    },
  };
}
