/** Decodes frames beside the page, so that the camera's picture never stutters. Says "ready" or "failed" first. */
import { decode, load } from "./zxing.js";

self.addEventListener("message", async ({ data }) => {
  let text = null;
  try {
    text = await decode(new ImageData(new Uint8ClampedArray(data.pixels), data.width, data.height));
  } catch {
    // One frame that could not be read is followed by another in a tenth of a second.
  }
  self.postMessage({ kind: "text", text });
});

load().then(
  () => self.postMessage({ kind: "ready" }),
  (error) => self.postMessage({ kind: "failed", why: String(error) }),
);
