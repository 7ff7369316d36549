import type { Image } from "../../src/image/image.ts";
import { jpegNamed } from "./_files.ts";

// Run with --allow-read alone: decodes in a worker, prints the pixels.
const worker = new Worker(new URL("_decode_worker.ts", import.meta.url), {
  type: "module",
});
const images: Image[] = [];
const names = ["CMYK"];
worker.onmessage = ({ data }: MessageEvent<Image>) => {
  images.push(data);
  const next = names.shift();
  if (next) worker.postMessage(jpegNamed(next).file);
  else {
    console.log(JSON.stringify(images.map(({ data }) => [...data])));
    worker.terminate();
  }
};
worker.postMessage(jpegNamed("progressive").file);
