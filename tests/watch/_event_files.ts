import { assertEquals } from "@std/assert";
import { wireFields } from "../../src/onnx/_wire.ts";
import { maskedCrc32c } from "../../src/watch/tensorboard/_crc32c.ts";

/** A field of an event, as a plain object of what the tests look at. */
export interface ReadEvent {
  step: number;
  time: number;
  version?: string;
  /** The session's status; 1 where training goes on from `step`. */
  session?: number;
  scalars: Map<string, number>;
  tags: string[];
  pictures: Map<string, Uint8Array>;
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** The records of a file, each checked by its two sums. */
export function recordsOf(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const records: Uint8Array[] = [];
  for (let at = 0; at < file.length;) {
    const length = Number(view.getBigUint64(at, true));
    const head = file.subarray(at, at + 8);
    assertEquals(view.getUint32(at + 8, true), maskedCrc32c([head]));
    const data = file.subarray(at + 12, at + 12 + length);
    assertEquals(data.length, length);
    assertEquals(
      view.getUint32(at + 12 + length, true),
      maskedCrc32c([data]),
    );
    records.push(data);
    at += 16 + length;
  }
  return records;
}

/** The events of a file. */
export function eventsOf(file: Uint8Array): ReadEvent[] {
  return recordsOf(file).map((record) => {
    const event: ReadEvent = {
      ...{ step: 0, time: 0 },
      ...{ scalars: new Map(), tags: [], pictures: new Map() },
    };
    for (const { field, value, bytes } of wireFields(record)) {
      if (field === 1) event.time = doubleOf(bytes);
      else if (field === 2) event.step = value;
      else if (field === 3) event.version = text(bytes);
      else if (field === 5) readSummary(event, bytes);
      else if (field === 7) event.session = [...wireFields(bytes)][0]!.value;
    }
    return event;
  });
}

function readSummary(event: ReadEvent, summary: Uint8Array): void {
  for (const { bytes } of wireFields(summary)) {
    let tag = "";
    for (const part of wireFields(bytes)) {
      if (part.field === 1) event.tags.push(tag = text(part.bytes));
      else if (part.field === 2) {
        const view = new DataView(part.bytes.slice().buffer);
        event.scalars.set(tag, view.getFloat32(0, true));
      } else if (part.field === 4) {
        const png = [...wireFields(part.bytes)].find(({ field }) =>
          field === 4
        )!;
        event.pictures.set(tag, png.bytes);
      }
    }
  }
}

function doubleOf(bytes: Uint8Array): number {
  return new DataView(bytes.slice().buffer).getFloat64(0, true);
}

/** The events of the one file, or of all in their order, in a folder. */
export function eventsIn(folder: string): ReadEvent[] {
  return [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile)
    .map(({ name }) => name).sort()
    .flatMap((name) => eventsOf(Deno.readFileSync(`${folder}/${name}`)));
}
