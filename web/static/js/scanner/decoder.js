/**
 * Whatever this browser offers to read a QR code with: its own BarcodeDetector, zxing in a worker, zxing on the page.
 * A way that fails gives place to the next; with none left `open` rejects and the scanner offers keyboards.
 */

const LONG_SIDE = 960;
const PATIENCE_MS = 20000;

class Native {
  constructor() {
    this.detector = new BarcodeDetector({ formats: ["qr_code"] });
  }

  static async open() {
    // Phones without Google's services have the interface and nothing behind it.
    const formats = (await globalThis.BarcodeDetector?.getSupportedFormats?.()) ?? [];
    if (!formats.includes("qr_code")) throw new Error("no BarcodeDetector");
    const native = new Native();
    await native.detector.detect(document.createElement("canvas").getContext("2d").createImageData(8, 8));
    return native;
  }

  async decode(video) {
    const found = await this.detector.detect(video);
    return found.find((code) => code.rawValue)?.rawValue ?? null;
  }

  close() {}
}

class Frames {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.pen = this.canvas.getContext("2d", { willReadFrequently: true });
  }

  grab(video) {
    const scale = Math.min(1, LONG_SIDE / Math.max(video.videoWidth, video.videoHeight));
    const width = Math.round(video.videoWidth * scale);
    const height = Math.round(video.videoHeight * scale);
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.pen.drawImage(video, 0, 0, width, height);
    return this.pen.getImageData(0, 0, width, height);
  }
}

class InWorker {
  constructor(worker) {
    this.worker = worker;
    this.frames = new Frames();
  }

  static open() {
    return new Promise((done, failed) => {
      const worker = new Worker(new URL("./decoder-worker.js", import.meta.url), { type: "module" });
      const stop = (error) => {
        clearTimeout(timer);
        worker.terminate();
        failed(error);
      };
      const timer = setTimeout(() => stop(new Error("the decoder took too long to load")), PATIENCE_MS);
      worker.onerror = (event) => stop(new Error(event.message || "no module worker"));
      worker.onmessage = ({ data }) => {
        clearTimeout(timer);
        if (data.kind === "ready") done(new InWorker(worker));
        else stop(new Error(data.why));
      };
    });
  }

  decode(video) {
    const image = this.frames.grab(video);
    return new Promise((done, failed) => {
      this.worker.onmessage = ({ data }) => done(data.text);
      this.worker.onerror = () => failed(new Error("the decoder stopped"));
      this.worker.postMessage({ pixels: image.data.buffer, width: image.width, height: image.height }, [
        image.data.buffer,
      ]);
    });
  }

  close() {
    this.worker.terminate();
  }
}

class OnPage {
  constructor(zxing) {
    this.zxing = zxing;
    this.frames = new Frames();
  }

  static async open() {
    const zxing = await import("./zxing.js");
    await zxing.load();
    return new OnPage(zxing);
  }

  decode(video) {
    return this.zxing.decode(this.frames.grab(video));
  }

  close() {}
}

const WAYS = [Native, InWorker, OnPage];

/** Opens the best way that works; `from` skips those that have failed. */
export async function open(from = 0) {
  for (let way = from; way < WAYS.length; way += 1) {
    try {
      const decoder = await WAYS[way].open();
      decoder.way = way;
      return decoder;
    } catch {
      // the next one
    }
  }
  throw new Error("nothing here reads QR codes");
}
