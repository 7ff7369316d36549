/// <reference lib="deno.worker" />
import { decodeImage } from "../../src/image/decode_image.ts";

self.onmessage = async (event: MessageEvent<Uint8Array>) => {
  self.postMessage(await decodeImage(event.data));
};
