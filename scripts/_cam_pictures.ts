/**
 * The pictures of one explained image, and what their files are called.
 *
 * @module
 */

import { definedOf } from "../src/_defined_of.ts";
import { camFigure } from "../src/cam/cam_figure.ts";
import {
  type EvidenceOptions,
  evidenceOverlay,
} from "../src/cam/evidence_overlay.ts";
import { drawBox } from "../src/cam/_draw_box.ts";
import { evidenceBox } from "../src/cam/evidence_box.ts";
import { methodsFigure } from "../src/cam/methods_figure.ts";
import { topFigure } from "../src/cam/top_figure.ts";
import { overRegion, scaleRegion } from "../src/cam/_over_region.ts";
import { normaliseMap } from "../src/cam/normalise_map.ts";
import { overlayCam } from "../src/cam/overlay_cam.ts";
import { GapcamError } from "../src/error.ts";
import type { Region } from "../src/image/fit_image.ts";
import type { FloatMap } from "../src/image/float_map.ts";
import type { Image } from "../src/image/image.ts";
import type { CamJob } from "./_cam_job.ts";
import type { Subject } from "./_explain.ts";
import { type MethodChoice, tileOf } from "./_shown.ts";

const DIVERGING: readonly string[] = ["bwr", "RdBu_r"];

/** What of a job the pictures depend on. */
export type PictureJob =
  & Pick<CamJob, "look" | "source" | "size">
  & MethodChoice;

/** How pictures look. */
export interface Look {
  /** The notebook's: the overlay alone, each map stretched to its own range. */
  notebook: boolean;
  colours: EvidenceOptions;
  /** Whether a box is drawn around what speaks for the class. */
  boxes: boolean;
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
  const { notebook, alpha, colormap, contrast, boxes } = job.look;
  const signed = job.look.signed || contrast;
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
    boxes,
    classes,
    // A photograph in its own size may be too large to lie beside itself.
    figureSize: isFullSize(job) ? job.size ?? 512 : size,
  };
}

/** The box of a map in pixels of the image or photograph, if one is drawn. */
export function boxOf(
  subject: Subject,
  map: FloatMap,
  look: Look,
): Region | undefined {
  if (!look.boxes) return undefined;
  return evidenceBox(map, subject.picture, { region: subject.looked });
}

/** The same box in pixels of what is drawn of it. */
export function drawnBox(
  subject: Subject,
  map: FloatMap,
  { look, plain }: { look: Look; plain: Image },
): Region | undefined {
  const box = boxOf(subject, map, look);
  if (!box) return undefined;
  const { top, left, ...view } = subject.view;
  const moved = { ...box, top: box.top - top, left: box.left - left };
  return scaleRegion(moved, view, plain);
}

/** The evidence over an image in any size, alone. */
export function overlayOf(subject: Subject, plain: Image, look: Look): Image {
  const { peak, title } = subject.explanation;
  const map = subject.explanation.painted ?? subject.explanation.map;
  const box = drawnBox(subject, map, { look, plain });
  const region = subject.region &&
    scaleRegion(subject.region, subject.plain, plain);
  if (!look.notebook) {
    return evidenceOverlay(plain, map, {
      ...look.colours,
      peak,
      unit: title === undefined ? 1 : 0,
      ...(region ? { region } : {}),
      ...(box ? { box } : {}),
    });
  }
  const picture = notebookOverlay(plain, map, { look, region });
  if (box) drawBox(picture, box);
  return picture;
}

/** The notebook's overlay: each map stretched to its own range. */
function notebookOverlay(
  plain: Image,
  map: FloatMap,
  { look, region }: { look: Look; region: Region | undefined },
): Image {
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
  if (explanation.all) {
    const methods = methodsFigure(plain, {
      ...explanation,
      tiles: explanation.all.map(tileOf),
    }, {
      ...look.colours,
      classes: look.classes,
      name: title,
      size: look.figureSize,
      ...definedOf({ label, note, region }),
    });
    return { methods, plain };
  }
  const overlay = overlayOf(subject, plain, look);
  if (look.notebook) return { cam: overlay, plain };
  const options = {
    ...look.colours,
    classes: look.classes,
    name: title,
    size: look.figureSize,
    ...(label === undefined ? {} : { label }),
    ...(note === undefined ? {} : { note }),
    ...(region ? { region } : {}),
  };
  const { likeliest, map } = explanation;
  if (likeliest) {
    const boxes = likeliest.map((one) =>
      drawnBox(subject, one.map, { look, plain })
    );
    const cam = topFigure(plain, { ...explanation, likeliest }, {
      ...options,
      boxes,
    });
    return { cam, overlay, plain };
  }
  const box = drawnBox(subject, map, { look, plain });
  const cam = camFigure(plain, explanation, {
    ...options,
    ...(box ? { box } : {}),
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
  { classes, classIndex, against }: {
    classes: readonly string[];
    classIndex: number | undefined;
    against?: number | undefined;
  },
): { cam: string; plain: string; map: string } {
  const { notebook, signed, alpha, colormap, top, boxes } = job.look;
  const fitted = fittedAs(job);
  const shape = [
    ...fitted,
    isFullSize(job) ? "full-size" : "",
    job.size === undefined ? "" : `size${job.size}`,
  ];
  const explained = [
    job.method === undefined || job.method === "all" ? "" : job.method,
    ...(job.layers ?? []),
    classIndex === undefined ? "" : slug(classes, classIndex),
    against === undefined ? "" : `against-${slug(classes, against)}`,
  ];
  const look = [
    ...explained,
    top === undefined ? "" : `top${top}`,
    boxes ? "boxes" : "",
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
    map: join([...explained, ...fitted]),
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
