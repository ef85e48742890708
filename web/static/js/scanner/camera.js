/** The camera behind the phone, and its torch. */
import { open } from "./decoder.js";

const PAUSE_MS = 60;

export class Camera {
  constructor({ video, onCode, onLost }) {
    this.video = video;
    this.onCode = onCode;
    this.onLost = onLost;
    this.stream = null;
    this.decoder = null;
    this.round = 0;
  }

  /** Why there can be no camera here, as a word of the scanner's data; "" when it may be tried. */
  static obstacle() {
    if (!globalThis.isSecureContext) return "insecure";
    if (!navigator.mediaDevices?.getUserMedia) return "no_camera";
    return "";
  }

  /** Starts reading; rejects with {why}: denied, no_camera, in_use, no_decoder. */
  async start() {
    this.stop();
    const round = this.round;
    const stream = await navigator.mediaDevices
      .getUserMedia({
        audio: false,
        video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 } },
      })
      .catch((error) => {
        throw { why: { NotAllowedError: "denied", NotFoundError: "no_camera" }[error.name] ?? "in_use" };
      });
    if (round !== this.round) {
      for (const track of stream.getTracks()) track.stop();
      return;
    }
    this.stream = stream;
    this.video.srcObject = stream;
    await this.video.play().catch(() => {});
    this.track.addEventListener("ended", () => round === this.round && this.onLost());
    try {
      this.decoder ??= await open();
    } catch {
      this.stop();
      throw { why: "no_decoder" };
    }
    if (round === this.round) this.#read(round);
  }

  stop() {
    this.round += 1;
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }

  get track() {
    return this.stream?.getVideoTracks()[0] ?? null;
  }

  /** Phones stop the camera of a page in the background. */
  get isLive() {
    return this.track?.readyState === "live";
  }

  get hasTorch() {
    return Boolean(this.track?.getCapabilities?.().torch);
  }

  async torch(on) {
    await this.track?.applyConstraints({ advanced: [{ torch: on }] });
  }

  async #read(round) {
    let failures = 0;
    while (round === this.round) {
      if (this.video.readyState >= 2 && this.video.videoWidth && !document.hidden) {
        try {
          const text = await this.decoder.decode(this.video);
          failures = 0;
          if (text && round === this.round) this.onCode(text);
        } catch {
          failures += 1;
          if (failures === 5) await this.#another(round);
        }
      }
      await new Promise((done) => setTimeout(done, PAUSE_MS));
    }
  }

  async #another(round) {
    const failed = this.decoder;
    failed.close();
    try {
      this.decoder = await open(failed.way + 1);
    } catch {
      this.decoder = null;
      if (round === this.round) {
        this.stop();
        this.onLost("no_decoder");
      }
    }
  }
}
