import { LogTail } from "../train/_log_tail.ts";
import { FILM_NAME } from "../train/run_folder.ts";
import { GapcamError } from "../error.ts";

/** Version of the film that this version writes. */
export const FILM_VERSION = 1;

/** A map in 8 bits: a level `v` stands for `from + v / 255 * (to - from)`. */
export interface FilmMap {
  /** The class that it speaks for. */
  classIndex: number;
  /** Its probability. */
  probability: number;
  /** The logit that the map sums up to. */
  logit: number;
  /** Places from top to bottom. */
  height: number;
  /** Places from left to right. */
  width: number;
  /** The smallest value, in units of the logit. */
  from: number;
  /** The greatest value. */
  to: number;
  /** `height * width` levels, row by row, as base 64. */
  levels: string;
}

/** One image after an epoch. */
export interface FilmedImage {
  /** The map of the class that it is. */
  label: FilmMap;
  /** The map of the class that the network holds it for; may be the same. */
  answer: FilmMap;
}

/** All images after an epoch. */
export interface FilmFrame {
  /** Epochs that are done. */
  epoch: number;
  /** Steps that are done. */
  step: number;
  /** In the order of the film's images. */
  images: FilmedImage[];
}

/** An image of a film. */
export interface FilmImage {
  /** Its number in the data set. */
  index: number;
  /** What it is: a class index. */
  label: number;
  /** All classes that it shows, where images may show several. */
  labels?: number[];
  /** How it looks, a PNG as base 64. */
  picture: string;
}

/** Which images a film is of: its first line. */
export interface FilmTitle {
  /** {@linkcode FILM_VERSION}. */
  film: number;
  /** The data set's name. */
  dataset: string;
  /** The split that they are of. */
  split: string;
  /** Class names in the order of labels. */
  classes: string[];
  /** The images. */
  images: FilmImage[];
}

/** A film as far as it was read. */
export interface Film extends FilmTitle {
  /** From the first epoch to the last. */
  frames: FilmFrame[];
}

/** What is new in a film for whoever has some of it. */
export interface FilmNews {
  /** How many of the frames that are there already stay. */
  kept: number;
  /** The film with the frames that follow; without its title where some stay. */
  film: Partial<FilmTitle> & Pick<Film, "frames">;
}

/**
 * What is new in a film.
 *
 * @param film As it is now.
 * @param frames How many frames are known.
 * @param epoch Of the last of them.
 */
export function filmNews(
  film: Film,
  { frames, epoch }: { frames: number; epoch: number },
): FilmNews {
  // A run that went on does some of its epochs again.
  if (frames === 0 || film.frames[frames - 1]?.epoch !== epoch) {
    return { kept: 0, film };
  }
  return { kept: frames, film: { frames: film.frames.slice(frames) } };
}

/**
 * Reads a run's film, and what is added to it. What a run that was cut did twice
 * is there once, as it was done last.
 */
export class FilmReader {
  readonly #path: string;
  #tail: LogTail;
  #film: Film | undefined;
  #reading: Promise<boolean> | undefined;

  /** @param folder The run's folder. */
  constructor(folder: string) {
    this.#path = `${folder}/${FILM_NAME}`;
    this.#tail = new LogTail(this.#path);
  }

  /** What was read so far; undefined without a film, or for one of a later version. */
  get film(): Film | undefined {
    return this.#film;
  }

  /**
   * Reads on.
   *
   * @returns Whether there was anything new.
   * @throws {GapcamError} If the file cannot be read.
   */
  read(): Promise<boolean> {
    this.#reading ??= this.#readOn().finally(() => this.#reading = undefined);
    return this.#reading;
  }

  async #readOn(): Promise<boolean> {
    const { lines, replaced } = await this.#tail.next();
    if (replaced) this.#film = undefined;
    for (const line of lines) this.#add(line);
    return replaced || lines.length > 0;
  }

  #add(line: string): void {
    let found: unknown;
    try {
      found = JSON.parse(line);
    } catch {
      // One line less is a frame less.
      return;
    }
    if (isTitle(found)) {
      this.#film = { ...found, frames: [] };
      return;
    }
    const film = this.#film;
    if (!film || !isFrame(found, film)) return;
    // A run that goes on does again what it did after its last checkpoint.
    while (film.frames.length > 0 && film.frames.at(-1)!.epoch >= found.epoch) {
      film.frames.pop();
    }
    film.frames.push(found);
  }
}

/**
 * Reads the film of a run.
 *
 * @param folder The run's folder.
 * @returns The film; undefined if there is none.
 * @throws {GapcamError} If the file cannot be read.
 */
export async function readFilm(folder: string): Promise<Film | undefined> {
  const reader = new FilmReader(folder);
  await reader.read();
  return reader.film;
}

/** Values of a map of a film, in units of the logit. */
export function filmMapValues(map: FilmMap): Float32Array {
  const levels = Uint8Array.fromBase64(map.levels);
  if (levels.length !== map.height * map.width) {
    throw new GapcamError(
      "bad-data",
      `Cannot read a map of a film: it has ${levels.length} places, expected ` +
        `${map.height} x ${map.width}`,
    );
  }
  return Float32Array.from(
    levels,
    (level) => map.from + level / 255 * (map.to - map.from),
  );
}

function isTitle(found: unknown): found is FilmTitle {
  const title = found as Partial<FilmTitle> | null;
  return title?.film === FILM_VERSION && typeof title.dataset === "string" &&
    typeof title.split === "string" && Array.isArray(title.classes) &&
    title.classes.every((name) => typeof name === "string") &&
    Array.isArray(title.images) &&
    title.images.every((image) =>
      Number.isInteger(image?.index) && Number.isInteger(image.label) &&
      typeof image.picture === "string"
    );
}

function isFrame(found: unknown, film: FilmTitle): found is FilmFrame {
  const frame = found as Partial<FilmFrame> | null;
  return Number.isInteger(frame?.epoch) && Number.isInteger(frame?.step) &&
    Array.isArray(frame?.images) &&
    frame.images.length === film.images.length &&
    frame.images.every((image) => isMap(image?.label) && isMap(image?.answer));
}

function isMap(found: FilmMap | undefined): boolean {
  return found !== undefined && typeof found.levels === "string" &&
    [found.classIndex, found.height, found.width].every(Number.isInteger) &&
    [found.probability, found.logit, found.from, found.to].every(
      Number.isFinite,
    );
}
