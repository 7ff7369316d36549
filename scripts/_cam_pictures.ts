/**
 * The pictures of one explained image, and what their files are called.
 *
 * @module
 */

import { camFigure } from "../src/cam/cam_figure.ts";
import {
  type EvidenceOptions,
  evidenceOverlay,
} from "../src/cam/evidence_overlay.ts";
import { overRegion, scaleRegion } from "../src/cam/_over_region.ts";
import { normaliseMap } from "../src/cam/normalise_map.ts";
import { overlayCam } from "../src/cam/overlay_cam.ts";
import { GapcamError } from "../src/error.ts";
import type { Image } from "../src/image/image.ts";
import type { CamJob } from "./_cam_job.ts";
import type { Subject } from "./_explain.ts";

const DIVERGING: readonly string[] = ["bwr", "RdBu_r"];

/** What of a job the pictures depend on. */
export type PictureJob = Pick<CamJob, "look" | "source" | "size">;

/** How pictures look. */
export interface Look {
  /** The notebook's: the overlay alone, each map stretched to its own range. */
  notebook: boolean;
  colours: EvidenceOptions;
  /** Names of all classes. */
  classes: readonly string[];
  /** Longer side of the pictures in a figure. */
  figureSize: number;
}

/**
 * How the pictures of a job look.
 *
 * @throws {GapcamError} If what was chosen contradicts itself.
 */
export function lookOf(
  job: PictureJob,
  { classes, size }: { classes: readonly string[]; size: number },
): Look {
  const { notebook, signed, alpha, colormap } = job.look;
  const diverging = colormap !== undefined && DIVERGING.includes(colormap);
  if (notebook && signed) {
    throw new GapcamError(
      "invalid-argument",
      "Cannot draw a signed map in the notebook's style: it stretches each " +
        "map to its own range; leave out one of them",
    );
  }
  if (signed && colormap !== undefined && !diverging) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot draw a signed map in ${colormap}: it has no middle for ` +
        `zero, expected ${DIVERGING.join(" or ")}`,
    );
  }
  return {
    notebook,
    colours: {
      // A map of two colours about a middle is one about zero.
      signed: signed || diverging && !notebook,
      ...(alpha === undefined ? {} : { alpha }),
      ...(colormap === undefined ? {} : { colormap }),
    },
    classes,
    // A photograph in its own size may be too large to lie beside itself.
    figureSize: isFullSize(job) ? job.size ?? 512 : size,
  };
}

/** The evidence over an image in any size, alone. */
export function overlayOf(subject: Subject, plain: Image, look: Look): Image {
  const { map, peak } = subject.explanation;
  const region = subject.region &&
    scaleRegion(subject.region, subject.plain, plain);
  if (!look.notebook) {
    return evidenceOverlay(plain, map, {
      ...look.colours,
      peak,
      ...(region ? { region } : {}),
    });
  }
  const { alpha = 0.4, colormap = "jet" } = look.colours;
  if (!region) return overlayCam(plain, map, { alpha, colormap });
  const { minimum, maximum, constant } = normaliseMap(map);
  // A constant map has the first colour everywhere, as overlayCam() gives it.
  const range = [minimum, constant ? minimum + 1 : maximum] as const;
  return overRegion(plain, map, { region, range, alpha, colormap });
}

/** The pictures of an image by the last part of their names, the main one first. */
export function picturesOf(
  subject: Subject,
  look: Look,
): Record<string, Image> {
  const { plain, explanation, label, title, note, region } = subject;
  const overlay = overlayOf(subject, plain, look);
  if (look.notebook) return { cam: overlay, plain };
  const cam = camFigure(plain, explanation, {
    ...look.colours,
    classes: look.classes,
    name: title,
    size: look.figureSize,
    ...(label === undefined ? {} : { label }),
    ...(note === undefined ? {} : { note }),
    ...(region ? { region } : {}),
  });
  return { cam, overlay, plain };
}

function isFullSize({ source }: PictureJob): boolean {
  return source.kind === "photographs" && source.fullSize;
}

/** How photographs are shown, where it is not as usual. */
function fittedAs({ source }: PictureJob): string[] {
  if (source.kind !== "photographs") return [];
  const { fit, background } = source;
  const hex = background.map((level) => level.toString(16).padStart(2, "0"));
  return [
    fit === "crop" ? "" : fit,
    background.every((level) => level === 255) ? "" : `on${hex.join("")}`,
  ];
}

/** All that was chosen and changes a picture, for its file's name. */
export function suffixesOf(
  job: PictureJob,
  { classes, classIndex }: {
    classes: readonly string[];
    classIndex: number | undefined;
  },
): { cam: string; plain: string; map: string } {
  const { notebook, signed, alpha, colormap } = job.look;
  const fitted = fittedAs(job);
  const shape = [
    ...fitted,
    isFullSize(job) ? "full-size" : "",
    job.size === undefined ? "" : `size${job.size}`,
  ];
  const explained = classIndex === undefined ? "" : slug(classes, classIndex);
  const look = [
    explained,
    notebook ? "notebook" : "",
    signed ? "signed" : "",
    colormap ?? "",
    alpha === undefined ? "" : `alpha${alpha}`,
  ];
  const join = (parts: readonly string[]) =>
    parts.map((part) => part && `-${part}`).join("");
  return {
    cam: join([...look, ...shape]),
    plain: join(shape),
    map: join([explained, ...fitted]),
  };
}

/** A class's name as part of a file's: letters, digits, points and lines. */
function slug(classes: readonly string[], index: number): string {
  const slugs = classes.map((name) =>
    name.normalize().replace(/[^\p{L}\p{M}\p{N}._]+/gu, "-")
      .replace(/^[-.]+|[-.]+$/g, "").slice(0, 60)
  );
  const own = slugs[index]!;
  const same = slugs.filter((one) => one.toLowerCase() === own.toLowerCase());
  if (own === "") return `class${index}`;
  return same.length > 1 ? `${own}-${index}` : own;
}
