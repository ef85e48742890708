/** zxing-wasm with our own copy of its program: no other host is ever asked. */
import { prepareZXingModule, readBarcodes } from "../../vendor/zxing/reader/index.js";

const program = new URL("../../vendor/zxing/zxing_reader.wasm", import.meta.url).href;
const options = { formats: ["QRCode"], tryHarder: true, maxNumberOfSymbols: 1 };

export function load() {
  return prepareZXingModule({ overrides: { locateFile: () => program }, fireImmediately: true });
}

export async function decode(image) {
  const [found] = await readBarcodes(image, options);
  return found?.text || null;
}
